"""pybernetes kubeconfig"""

import click

from pybernetes.cli import options
from pybernetes.cluster.up import admin_kubeconfig, layout_of


@click.command("kubeconfig")
@options.name
@click.option("--path", "only_path", is_flag=True, help="Print the file's path instead of its content.")
def command(name: str, only_path: bool) -> None:
    """Print the administrator's kubeconfig of a cluster."""
    path = admin_kubeconfig(layout_of(name))
    click.echo(path if only_path else path.read_text(), nl=only_path)
