"""pybernetes stop"""

import click

from pybernetes.cli import options
from pybernetes.cluster.down import halt
from pybernetes.cluster.up import layout_of


@click.command("stop")
@options.name
def command(name: str) -> None:
    """Stop a cluster. `up` starts it again with the same objects, images and addresses."""
    layout_of(name)
    halt(name)
    click.echo(f"Cluster {name} is stopped.")
