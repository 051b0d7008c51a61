"""pybernetes down"""

import click

from pybernetes.cli import options
from pybernetes.cluster.down import down
from pybernetes.cluster.errors import ClusterError


@click.command("down")
@options.name
@click.option("--grace", default=0.0, metavar="SECONDS", help="Let processes end by themselves for so long first.")
def command(name: str, grace: float) -> None:
    """Remove a cluster with all that belongs to it: processes, containers, links, namespaces, rules, files.

    It works in any state, also after a crash, and can be run again.
    """

    def waiting() -> None:
        click.echo("waiting for another 'up' or 'down' of this cluster to end ...", err=True)

    report = down(name, grace=grace, waiting=waiting)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if report.left:
        raise ClusterError("could not be removed: " + ", ".join(report.left))
    click.echo(f"Cluster {name} is gone." if report.existed else f"There was no cluster {name}.")
