"""pybernetes simulated-nodes"""

import asyncio
import random

import click

from pybernetes.cli import options
from pybernetes.cli.run import log_level, run_until_signal
from pybernetes.client import kubeconfig
from pybernetes.client.client import Client
from pybernetes.client.http import HttpTransport
from pybernetes.client.informer import Informers
from pybernetes.cluster.kubeconfig import component_path
from pybernetes.cluster.simulated import run_simulated
from pybernetes.cluster.simulated_nodes import SimulatedNode, simulated_nodes
from pybernetes.cluster.simulated_transport import NodeTransport
from pybernetes.cluster.up import layout_of

_AT_ONCE = 16


@click.command("simulated-nodes")
@click.argument("count", type=int)
@options.name
@log_level
def command(count: int, name: str, log_level: str) -> None:
    """Run the kubelets of COUNT simulated nodes. `up --simulated-nodes` starts this command."""
    endpoint = kubeconfig.load(component_path(layout_of(name), "admin"))
    transport = HttpTransport(endpoint, user_agent="pybernetes-simulated")
    run_until_signal(_run(simulated_nodes(count), transport), log_level, fast_loop=True)


async def _run(nodes: list[SimulatedNode], transport: HttpTransport) -> None:
    informers = Informers(Client(transport))
    slots = asyncio.Semaphore(_AT_ONCE)

    def client_for(node: str) -> Client:
        return Client(NodeTransport(transport, node, slots))

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(informers.run(), name="informers")
            kubelets = run_simulated(nodes, client_for, informers, rng=random.Random())
            group.create_task(kubelets, name="simulated nodes")
    finally:
        await transport.close()
