"""pybernetes trace"""

import asyncio
import json
import sys

import click

from pybernetes.cli import options
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pod_network import require_managed_network
from pybernetes.cluster.up import layout_of
from pybernetes.insight import gather, trace_gather
from pybernetes.insight.hop import Trace


@click.command("trace")
@click.argument("pod")
@click.argument("target")
@click.option("--port", default="", metavar="N[/PROTOCOL]", help="Port of the target, such as 80 or 53/udp.")
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of POD and TARGET.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of output.")
@options.name
def command(pod: str, target: str, port: str, namespace: str, output: str, name: str) -> None:
    """Follow a packet from POD to TARGET, hop by hop, with the object behind each hop.

    POD is NAME, pod/NAME or NAMESPACE/NAME. TARGET is an address, a Service (NAME, NAME.NAMESPACE, service/NAME) or a
    pod (NAME, pod/NAME). The path is computed from the kernel state of the nodes; no packet is sent. Exit code 1 if
    the packet is lost on any path; the hop is marked X.
    """
    found = asyncio.run(_follow(require_managed_network(layout_of(name)), pod, target, port, namespace))
    click.echo(json.dumps(found.document(), indent=2) if output == "json" else "\n".join(found.lines()))
    sys.exit(0 if found.arrives else 1)


async def _follow(layout: Layout, pod: str, target: str, port: str, namespace: str) -> Trace:
    client = gather.open_client(layout)
    try:
        return await trace_gather.run(layout, client, pod, target, port, namespace)
    finally:
        await client.close()
