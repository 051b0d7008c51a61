"""pybernetes control-plane"""

import click

from pybernetes.cli import options
from pybernetes.cli.run import log_level, run_until_signal
from pybernetes.cli.values import DURATION
from pybernetes.cluster.control_plane import ControlPlane
from pybernetes.cluster.up import layout_of


@click.command("control-plane")
@options.name
@click.option(
    "--node-monitor-grace-period",
    type=DURATION,
    default="50s",
    show_default=True,
    help="Time without a heartbeat after which a node is unreachable.",
)
@log_level
def command(name: str, node_monitor_grace_period: float, log_level: str) -> None:
    """Run store, API server, controllers and scheduler of a local cluster. `up` starts this."""
    plane = ControlPlane(layout_of(name), node_monitor_grace_period=node_monitor_grace_period)
    run_until_signal(plane.run(), log_level, fast_loop=True)
