"""pybernetes status"""

import asyncio
import sys
import time

import click
import msgspec

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


class ProcessRow(msgspec.Struct, rename="camel"):
    """One supervised process."""

    name: str
    state: str
    pid: int
    restarts: int
    seconds: float
    """since its last change of state"""
    last_exit: str = ""


class NodeRow(msgspec.Struct, rename="camel"):
    """One Node."""

    name: str
    ready: bool
    address: str
    pod_cidr: str


class Report(msgspec.Struct, rename="camel"):
    """The content of `-o json`."""

    cluster: str
    state: str
    """running, degraded (a process is not running or a node is not Ready) or stopped"""
    server: str
    processes: list[ProcessRow] = []
    nodes: list[NodeRow] = []
    trouble: str = ""
    """why the API server did not respond"""


@click.command("status")
@options.name
@click.option("--all", "every", is_flag=True, help="List the clusters of this machine.")
@click.option(
    "-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True, help="Output format."
)
def command(name: str, every: bool, output: str) -> None:
    """Show the nodes and processes of a cluster.

    Exit code 0: all processes run and every node is Ready. 1: otherwise, or if there is no such cluster.
    """
    if every:
        _list_clusters(output)
        return
    report = asyncio.run(_report(layout_of(name)))
    click.echo(_json(report) if output == "json" else "\n".join(_lines(report)))
    sys.exit(0 if report.state == "running" else 1)


def _json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value)).decode()


def _list_clusters(output: str) -> None:
    clusters = sorted(Registry().read().clusters.items())
    if output == "json":
        rows = [{"cluster": name, "nodes": len(record.nodes), "apiPort": record.api_port} for name, record in clusters]
        click.echo(_json(rows))
        return
    for name, record in clusters:
        click.echo(f"{name:24} {len(record.nodes)} nodes, API port {record.api_port}")


async def _report(layout: Layout) -> Report:
    report = Report(layout.cluster, "stopped", layout.api_url_for_host)
    state = status(layout)
    if state is None or not supervisor_alive(layout):
        return report
    for row in state.processes:
        seconds = round(max(0.0, time.time() - row.since), 1)
        report.processes.append(ProcessRow(row.name, row.state, row.pid, row.restarts, seconds, row.exit))
    await _ask(layout, report)
    healthy = all(row.state == "running" for row in report.processes) and all(row.ready for row in report.nodes)
    report.state = "running" if healthy and not report.trouble else "degraded"
    return report


async def _ask(layout: Layout, report: Report) -> None:
    """Add the Nodes from the API server."""
    client = Client(HttpTransport(kubeconfig.load(admin_kubeconfig(layout)), timeout=5))
    try:
        for node in (await client.of(Node).list()).items:
            address = next((a.address for a in node.status.addresses if a.type == "InternalIP"), "")
            report.nodes.append(NodeRow(node.metadata.name, is_ready(node), address, node.spec.pod_cidr))
    except (Unreachable, ApiError) as error:
        report.trouble = str(error)
    finally:
        await client.close()


def _lines(report: Report) -> list[str]:
    if report.state == "stopped":
        return [f"cluster {report.cluster} is stopped; 'pybernetes up --name {report.cluster}' starts it"]
    lines = [f"{'PROCESS':28} {'STATE':10} {'PID':>8} {'RESTARTS':>8}  SINCE"]
    for row in report.processes:
        ended = f"  (last: {row.last_exit})" if row.last_exit else ""
        lines.append(f"{row.name:28} {row.state:10} {row.pid or '':>8} {row.restarts:>8}  {row.seconds:.0f} s{ended}")
    if report.trouble:
        return [*lines, f"API server: {report.trouble}"]
    lines += ["", f"{'NODE':28} {'READY':10} {'ADDRESS':16} PODS"]
    lines += [f"{n.name:28} {'yes' if n.ready else 'no':10} {n.address:16} {n.pod_cidr}" for n in report.nodes]
    return lines
