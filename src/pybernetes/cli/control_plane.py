"""pybernetes control-plane"""

import click

from pybernetes.cli import options
from pybernetes.cli.run import log_level, run_until_signal
from pybernetes.cluster.control_plane import ControlPlane
from pybernetes.cluster.up import layout_of


@click.command("control-plane")
@options.name
@log_level
def command(name: str, log_level: str) -> None:
    """Run store, API server, controllers and scheduler of a local cluster. `up` starts this."""
    plane = ControlPlane(layout_of(name))
    run_until_signal(plane.run(), log_level, fast_loop=True)
