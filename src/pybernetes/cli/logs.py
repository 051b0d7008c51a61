"""pybernetes logs"""

import subprocess
import sys

import click

from pybernetes.cli import options
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.nodes import log_path
from pybernetes.cluster.supervise import read_specs
from pybernetes.cluster.up import layout_of


@click.command("logs")
@click.argument("component", required=False)
@options.name
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they are written.")
@click.option("-n", "--lines", default=100, show_default=True, help="Number of lines from the end.")
def command(component: str | None, name: str, follow: bool, lines: int) -> None:
    """Print the log of a COMPONENT: control-plane, node-NAME, containerd-NAME, supervisor.

    Without a COMPONENT, list the names.
    """
    layout = layout_of(name)
    known = ["supervisor", *(spec.name for spec in read_specs(layout))]
    if component is None:
        click.echo("\n".join(known))
        return
    if component not in known:
        raise ConfigError(f"no component {component!r} in cluster {name!r}; there are {', '.join(known)}")
    path = log_path(layout, component)
    if not path.exists():
        raise ConfigError(f"{component} has written no log yet ({path})")
    argv = ["tail", "-n", str(lines), *(["-F"] if follow else []), str(path)]
    sys.exit(subprocess.run(argv, check=False).returncode)
