"""pybernetes status"""

import asyncio
import sys
import time

import click

from pybernetes.api.core.node import Node
from pybernetes.cli import options
from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.client.http import HttpTransport
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.registry import Registry
from pybernetes.cluster.supervise import status, supervisor_alive
from pybernetes.cluster.up import admin_kubeconfig, is_ready, layout_of


@click.command("status")
@options.name
@click.option("--all", "every", is_flag=True, help="List the clusters of this machine.")
def command(name: str, every: bool) -> None:
    """Show the nodes and processes of a cluster. Exit code 1 if something does not run."""
    if every:
        for cluster, record in sorted(Registry().read().clusters.items()):
            click.echo(f"{cluster:24} {len(record.nodes)} nodes, API port {record.api_port}")
        return
    layout = layout_of(name)
    healthy = _processes(layout)
    healthy = asyncio.run(_nodes(layout)) and healthy
    sys.exit(0 if healthy else 1)


def _processes(layout: Layout) -> bool:
    state = status(layout)
    if state is None or not supervisor_alive(layout):
        click.echo(f"cluster {layout.cluster} is stopped; 'pybernetes up --name {layout.cluster}' starts it")
        return False
    click.echo(f"{'PROCESS':28} {'STATE':10} {'PID':>8} {'RESTARTS':>8}  SINCE")
    for row in state.processes:
        since = f"{max(0, time.time() - row.since):.0f} s"
        exit_note = f"  (last: {row.exit})" if row.exit else ""
        click.echo(f"{row.name:28} {row.state:10} {row.pid or '':>8} {row.restarts:>8}  {since}{exit_note}")
    return all(row.state == "running" for row in state.processes)


async def _nodes(layout: Layout) -> bool:
    client = Client(HttpTransport(kubeconfig.load(admin_kubeconfig(layout)), timeout=5))
    try:
        nodes = (await client.of(Node).list()).items
    except (Unreachable, ApiError) as error:
        click.echo(f"API server: {error}")
        return False
    finally:
        await client.close()
    click.echo(f"\n{'NODE':28} {'READY':10} {'ADDRESS':16} PODS")
    for node in nodes:
        address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
        click.echo(f"{node.metadata.name:28} {'yes' if is_ready(node) else 'no':10} {address:16} {node.spec.pod_cidr}")
    return all(is_ready(node) for node in nodes)
