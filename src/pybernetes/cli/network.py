"""pybernetes network: show, check, set-backend"""

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
import yaml

from pybernetes.cli import options
from pybernetes.client.client import Client
from pybernetes.cluster import backend_choice
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pod_network import require_managed_network
from pybernetes.cluster.up import layout_of
from pybernetes.insight import check, gather, show, switch_backend

T = TypeVar("T")

_FORMS = ["text", "wide", "json", "yaml"]
_WATCH_SECONDS = 2.0
_output = click.option("-o", "--output", type=click.Choice(_FORMS), default="text", help="Form of output.")
_json = click.option("--json", "output", flag_value="json", help="The same as -o json.")


@click.group("network")
def command() -> None:
    """Show the pod network, check it, and change its backend."""


def _with_client(layout: Layout, work: Callable[[Client], Awaitable[T]]) -> T:
    async def session() -> T:
        client = gather.open_client(layout)
        try:
            return await work(client)
        finally:
            await client.close()

    return asyncio.run(session())


def _say(document: dict[str, Any], output: str) -> bool:
    """Print the document if the output is json or yaml; return whether it was printed."""
    if output == "json":
        click.echo(json.dumps(document, indent=2))
    elif output == "yaml":
        click.echo(yaml.safe_dump(document, sort_keys=False), nl=False)
    return output in ("json", "yaml")


@command.command("show")
@options.name
@_output
@_json
@click.option("-w", "--watch", is_flag=True, help="Keep running and print again on every change.")
def show_command(name: str, output: str, watch: bool) -> None:
    """Show nodes, subnets and the paths between nodes, each probed now.

    PEERS counts the peers that reply through the pod network. PATH is direct or a tunnel, with the outgoing device.
    'network check' finds the cause of a fault. The exit code is 0 even if there are faults.
    """
    layout = require_managed_network(layout_of(name))

    def say(found: check.Checked) -> None:
        if not _say(show.document(found), output):
            click.echo("\n".join(show.tables(found, wide=output == "wide")))

    async def work(client: Client) -> None:
        before: list[object] = []
        while True:
            found = await check.look(layout, client, deep=False)
            if before != (now := show.states(found)):
                if before and output in ("text", "wide"):
                    click.echo()
                say(found)
            before = now
            if not watch:
                return
            await asyncio.sleep(_WATCH_SECONDS)

    _with_client(layout, work)


@command.command("check")
@options.name
@_output
@_json
def check_command(name: str, output: str) -> None:
    """Check every pair of nodes: reachability, MTU, checksums, and flannel's state in the kernel.

    Prints the cause and the fix of each fault. Exit code 0 if there is no fault (warnings do not count), 1 if there
    are faults or the check failed, 2 for an invalid command line.
    """
    layout = require_managed_network(layout_of(name))
    found = _with_client(layout, lambda client: check.check(layout, client))
    if not _say(show.document(found), output):
        if output == "wide":
            click.echo("\n".join([*show.tables(found, wide=True), ""]))
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
@click.option("--force", is_flag=True, help="Switch even if some nodes will not reach each other.")
@click.option("--timeout", default=60.0, show_default=True, metavar="SECONDS", help="How long to wait for all nodes.")
@options.name
def set_backend_command(backend: str, settings: tuple[str, ...], force: bool, timeout: float, name: str) -> None:
    """Change the backend of the running pod network to TYPE, without losing a packet.

    Waits until every node has changed over and nothing of the old backend is left. Exit code 1 if the request is
    refused, which changes nothing, or if nodes have not changed over in time.
    """
    layout = require_managed_network(layout_of(name))
    request = switch_backend.SwitchRequest(
        backend, backend_choice.parse_options(settings), force=force, timeout=timeout
    )
    _with_client(layout, lambda client: switch_backend.switch(layout, client, request, click.echo))
