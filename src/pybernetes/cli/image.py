"""pybernetes image: build, load"""

import re
from pathlib import Path

import click

from pybernetes.cli import options
from pybernetes.cli.version import VERSION
from pybernetes.cluster.files import write_atomic
from pybernetes.cluster.nodes import load_archive
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.up import layout_of


@click.group("image")
def command() -> None:
    """Build flanneld's image, and load images into the nodes of a local cluster."""


@command.command("build")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("flannel.tar"),
    show_default=True,
    help="Path of the archive.",
)
@click.option("--tag", metavar="NAME", help=f"Name of the image  [default: docker.io/pybernetes/flannel:v{VERSION}]")
def build(output: Path, tag: str | None) -> None:
    """Build the image of flanneld and its CNI plugins from the installed files, without a registry.

    The result is an OCI layout in a tar, for `pybernetes image load`, `ctr images import`, `docker load` or
    `skopeo copy`. The same program on the same machine gives the same digest.
    """
    from pybernetes.cluster.oci import architecture, image_tar, manifest_digest
    from pybernetes.cluster.portable.image import default_name, flannel_image

    image = flannel_image(_full(tag) if tag else default_name(VERSION), VERSION)
    content = image_tar([image], architecture())
    write_atomic(output, content)
    click.echo(f"{output}: {image.names[0]}, {len(content) / 1e6:.1f} MB")
    click.echo(manifest_digest(image, architecture()))


def _full(tag: str) -> str:
    if not re.fullmatch(r"(localhost|[a-z0-9-]*[.:][a-z0-9.:-]*)(/[a-z0-9]([a-z0-9._-]*[a-z0-9])?)+:\w[\w.-]*", tag):
        raise click.UsageError(f"--tag {tag!r} is not a full image name such as registry.example.com/flannel:v1")
    return tag


@command.command("load")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@options.name
def load(file: Path, name: str) -> None:
    """Load FILE, an archive of `docker save` or an OCI layout in a tar, into every node."""
    layout = layout_of(name)
    names = load_archive(layout, Registry().nodes(name), file)
    click.echo("loaded " + ", ".join(names))
