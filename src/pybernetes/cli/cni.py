"""pybernetes cni"""

from pathlib import Path

import click

from pybernetes.cluster.portable import plugins


@click.group("cni")
def command() -> None:
    """Install the CNI plugins for any container runtime."""


@command.command("install")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=Path("/opt/cni/bin"))
@click.option("--self-contained", is_flag=True, help="Include the interpreter, for machines without Python.")
@click.option("--replace", is_flag=True, help="Overwrite plugins of other projects, too.")
def install(directory: Path, self_contained: bool, replace: bool) -> None:
    """Write the plugins into DIRECTORY (default: /opt/cni/bin).

    The plugin `flannel` is always written. Existing plugins of other projects are kept: pods that they attached must be
    detached by them, too.
    """
    done = plugins.install(directory, self_contained=self_contained, replace=replace)
    click.echo(f"installed in {directory}: {', '.join(done.written)}")
    if done.kept:
        click.echo(f"kept: {', '.join(done.kept)}")
