"""pybernetes up"""

import time

import click

from pybernetes.cli import options
from pybernetes.cli.spinner import Lines
from pybernetes.cli.values import DURATION
from pybernetes.cluster.pod_network import NONE
from pybernetes.cluster.up import UpOptions, up


class _BackendType(click.ParamType[str]):
    """The type of a backend, or none. Backends are imported only if one is given."""

    name = "TYPE"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check the type and return it in lower case."""
        from pybernetes.flannel.backends import BACKENDS

        if value.lower() not in (*BACKENDS, NONE):
            self.fail(f"{value!r} is not one of {', '.join([*BACKENDS, NONE])}", param, ctx)
        return value.lower()


@click.command("up")
@options.name
@click.option("--nodes", default=3, show_default=True, metavar="N", help="Number of nodes with real containers.")
@click.option(
    "--racks", default=1, show_default=True, metavar="R", help="Number of L2 segments, connected by a router."
)
@click.option(
    "--api-port", type=click.IntRange(1, 65535), metavar="PORT", help="Port of the API server; 6443 or the next free."
)
@click.option(
    "--backend",
    type=_BackendType(),
    default=None,
    help="Pod network [default: the cluster's; vxlan for a new one]: vxlan, host-gw, bgp, udp, ipip, wireguard, ipsec, "
    "extension, alloc. none: you install one.",
)
@click.option(
    "--backend-option",
    "backend_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of --backend, such as DirectRouting=true; KEY=@FILE reads a secret from a file. Repeatable.",
)
@click.option(
    "--proxy-mode",
    type=click.Choice(["nftables", "iptables"]),
    default="nftables",
    show_default=True,
    help="Mode of the Service proxy.",
)
@click.option(
    "--simulated-nodes",
    default=0,
    type=click.IntRange(min=0),
    metavar="N",
    help="Additional simulated nodes, which run no containers.",
)
@click.option(
    "--node-monitor-grace-period",
    type=DURATION,
    default="50s",
    show_default=True,
    help="Time without a heartbeat after which a node is unreachable.",
)
@click.option("--timeout", default=120.0, show_default=True, metavar="SECONDS", help="How long to wait for Ready.")
@click.option("--wait/--no-wait", default=True, show_default=True, help="Whether to wait until the nodes are Ready.")
def command(
    name: str,
    nodes: int,
    racks: int,
    api_port: int | None,
    backend: str | None,
    backend_options: tuple[str, ...],
    proxy_mode: str,
    simulated_nodes: int,
    node_monitor_grace_period: float,
    timeout: float,
    wait: bool,
) -> None:
    """Create a cluster on this machine, or repair the one of that name.

    Each node is a network namespace with its own containerd, kubelet, proxy and flannel. `up` adds the
    context `pybernetes-CLUSTER` to your kubeconfig and switches to it.
    """
    wanted = UpOptions(
        name=name,
        nodes=nodes,
        racks=racks,
        api_port=api_port,
        backend=backend or "",
        backend_options=backend_options,
        proxy_mode=proxy_mode,
        simulated_nodes=simulated_nodes,
        node_monitor_grace_period=node_monitor_grace_period,
        timeout=timeout,
        wait=wait,
    )
    click.echo(f"Cluster {name}:")
    begun = time.monotonic()
    progress = Lines()
    try:
        layout = up(wanted, progress)
    finally:
        progress.close()
    click.echo(f"  {time.monotonic() - begun:6.2f} s  total")
    click.echo(f"kubectl now uses it (context {layout.context}). Try: kubectl get nodes -o wide")
