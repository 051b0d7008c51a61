"""pybernetes down"""

import click

from pybernetes.cli import options
from pybernetes.cluster.down import down
from pybernetes.cluster.errors import ClusterError


@click.command("down")
@options.name
@click.option("--grace", default=0.0, metavar="SECONDS", help="Time for processes to exit before they are killed.")
def command(name: str, grace: float) -> None:
    """Remove a cluster and everything that belongs to it: processes, containers, links, namespaces, rules, files.

    This works in any state, also after a crash, and can be run again.
    """

    def waiting() -> None:
        click.echo("waiting for another 'up' or 'down' of this cluster to finish ...", err=True)

    report = down(name, grace=grace, waiting=waiting)
    for warning in report.warnings:
        click.echo(f"warning: {warning}", err=True)
    if report.left:
        raise ClusterError("could not be removed: " + ", ".join(report.left))
    click.echo(f"Removed cluster {name}." if report.existed else f"There was no cluster {name}.")
