"""pybernetes network: show, check, set-backend"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import click

from pybernetes.cli import options
from pybernetes.client.client import Client
from pybernetes.cluster import backend_choice
from pybernetes.cluster.insight import check, gather, show, switch
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pod_network import require_ours
from pybernetes.cluster.up import layout_of

T = TypeVar("T")

_output = click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="Form of output.")


@click.group("network")
def command() -> None:
    """Look at the pod network, check it, and change its backend."""


def _with_client(layout: Layout, work: Callable[[Client], Awaitable[T]]) -> T:
    async def session() -> T:
        client = gather.open_client(layout)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(session())


@command.command("show")
@options.name
@_output
def show_command(name: str, output: str) -> None:
    """Show nodes, subnets and the ways between the nodes, each measured now."""
    layout = require_ours(layout_of(name))
    found = _with_client(layout, lambda client: check.look(layout, client, deep=False))
    if output == "json":
        click.echo(json.dumps(show.document(found), indent=2))
    else:
        click.echo("\n".join(show.tables(found)))


@command.command("check")
@options.name
@_output
def check_command(name: str, output: str) -> None:
    """Check every pair of nodes: reachability, MTU, checksums, and all that flannel keeps in the kernel.

    For each fault its cause and its fix are named. Exit code 1 if there are faults.
    """
    layout = require_ours(layout_of(name))
    found = _with_client(layout, lambda client: check.check(layout, client))
    if output == "json":
        click.echo(json.dumps(show.document(found), indent=2))
    else:
        click.echo("\n".join(show.report(found)))
    sys.exit(0 if found.healthy else 1)


@command.command("set-backend")
@click.argument("backend", metavar="TYPE")
@click.option(
    "--option",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="An option of the backend, such as VNI=2; KEY=@FILE reads a secret from a file. Repeatable.",
)
@click.option("--force", is_flag=True, help="Go on although some nodes will not reach each other.")
@click.option("--timeout", default=60.0, show_default=True, metavar="SECONDS", help="How long to wait for all nodes.")
@options.name
def set_backend_command(backend: str, settings: tuple[str, ...], force: bool, timeout: float, name: str) -> None:
    """Change the backend of the living pod network to TYPE, without losing a packet.

    Waits until every node has changed over and nothing of the old backend is left.
    """
    layout = require_ours(layout_of(name))
    wish = switch.Wish(backend, backend_choice.parse_options(settings), force=force, timeout=timeout)
    _with_client(layout, lambda client: switch.switch(layout, client, wish, click.echo))
