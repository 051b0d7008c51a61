"""pybernetes why"""

import asyncio
import json

import click

from pybernetes.cli import options
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.up import layout_of
from pybernetes.insight import gather
from pybernetes.insight.why import Explanation, why


@click.command("why")
@click.argument("pod")
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of POD.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of output.")
@options.name
def command(pod: str, namespace: str, output: str, name: str) -> None:
    """Explain why POD is on its node, or on none: for each node the filter that rejects it, or its scores."""
    found = asyncio.run(_ask(layout_of(name), pod, namespace))
    click.echo(json.dumps(found.document(), indent=2) if output == "json" else "\n".join(found.lines()))


async def _ask(layout: Layout, pod: str, namespace: str) -> Explanation:
    client = gather.open_client(layout)
    try:
        return await why(client, pod, namespace)
    finally:
        await client.close()
