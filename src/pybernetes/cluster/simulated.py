"""Simulated nodes: many kubelets that run no containers, in one process with one watch of all pods.

    pods --one informer--> kubelet of simulated-1
                           kubelet of simulated-2  --few requests at a time--> API server
                           ...

Each node acts as its own user, so it has exactly the permissions of a real node. It sets its own podCIDR, so that it
takes none from the range of real nodes, and has no flannel annotations, so that real nodes add no routes to it.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import Object
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.cluster.simulated_nodes import SimulatedNode
from pybernetes.kubelet.api_source import SharedPods
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.simulated.node import simulated_kubelet
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses

_CAPACITY = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "500Gi", "pods": "110"}


class NoEvents:
    """Simulated pods record no events: 5,000 pods would create 15,000 objects without information."""

    def event(self, obj: Object | ObjectReference, type_: str, reason: str, message: str) -> None:
        """Do nothing."""


async def run_simulated(
    nodes: Sequence[SimulatedNode],
    client_for: Callable[[str], Client],
    informers: Informers,
    *,
    rng: random.Random,
    clock: Callable[[], float] = time.time,
) -> None:
    """Run the kubelets of `nodes` until cancelled, with a client for each. The caller runs the informers."""
    pods = SharedPods(informers)
    async with asyncio.TaskGroup() as group:
        for node in nodes:
            kubelet = _kubelet(node, client_for(node.name), pods, rng.random(), clock)
            group.create_task(kubelet.run(), name=f"kubelet of {node.name}")
            await asyncio.sleep(0)


def _kubelet(
    node: SimulatedNode,
    client: Client,
    pods: SharedPods,
    phase: float,
    clock: Callable[[], float],
) -> Kubelet:
    config = KubeletConfig(
        node_name=node.name,
        node_ips=(node.address,),
        capacity=_CAPACITY,
        node_labels={"type": "simulated"},
        pod_cidr=node.pod_cidr,
        lease_phase=phase,
        status_check_period=300.0,
        sync_period=3600.0,
        serve=False,
    )
    runtime = SimulatedRuntime(clock=clock, address=addresses(node.pod_cidr), node_name=node.name)
    return simulated_kubelet(config, client, runtime, NoEvents(), pods.of(node.name), clock=clock)
