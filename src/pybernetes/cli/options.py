"""Options that several commands share."""

import click

from pybernetes.cluster.names import DEFAULT_CLUSTER

name = click.option(
    "--name", default=DEFAULT_CLUSTER, show_default=True, metavar="CLUSTER", help="Name of the cluster."
)
