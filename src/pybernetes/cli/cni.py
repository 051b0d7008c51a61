"""pybernetes cni"""

from pathlib import Path

import click

from pybernetes.cluster.portable import plugins


@click.group("cni")
def command() -> None:
    """The CNI plugins, for a container runtime of any kind."""


@command.command("install")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path("/opt/cni/bin"))
@click.option("--self-contained", is_flag=True, help="Bring the interpreter along, for machines without Python.")
@click.option("--replace", is_flag=True, help="Overwrite plugins of others too.")
def install(directory: Path, self_contained: bool, replace: bool) -> None:
    """Write the plugins into DIRECTORY, /opt/cni/bin if none is named.

    The plugin `flannel` is always written. Others that are there already, and not ours, stay as they are: what they
    attached is theirs to detach.
    """
    done = plugins.install(directory, self_contained=self_contained, replace=replace)
    click.echo(f"installed in {directory}: {', '.join(done.written)}")
    if done.kept:
        click.echo(f"left as they are: {', '.join(done.kept)}")
