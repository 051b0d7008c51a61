"""pybernetes node"""

import click

from pybernetes.cli import options
from pybernetes.cli.run import log_level, run_until_signal
from pybernetes.cluster.agent import Agent, AgentOptions
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.up import layout_of


@click.command("node")
@click.argument("node")
@options.name
@click.option("--proxy-mode", default="nftables", show_default=True, help="Proxy mode for Services.")
@log_level
def command(node: str, name: str, proxy_mode: str, log_level: str) -> None:
    """Run kubelet, proxy, flannel and DNS of a local NODE, inside its network namespace. `up` starts this."""
    layout = layout_of(name)
    record = next((n for n in Registry().nodes(name) if n.name == node), None)
    if record is None:
        raise ConfigError(f"cluster {name!r} has no node {node!r}")
    run_until_signal(Agent(layout, record, AgentOptions(proxy_mode=proxy_mode)).run(), log_level)
