"""pybernetes image"""

from pathlib import Path

import click

from pybernetes.cli import options
from pybernetes.cluster.nodes import load_archive
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.up import layout_of


@click.group("image")
def command() -> None:
    """Images on the nodes of a local cluster."""


@command.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.name
def load(file: Path, name: str) -> None:
    """Load FILE, an archive of `docker save` or an OCI layout in a tar, into every node."""
    layout = layout_of(name)
    names = load_archive(layout, Registry().nodes(name), file)
    click.echo("loaded " + ", ".join(names))
