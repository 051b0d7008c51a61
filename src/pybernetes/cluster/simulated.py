"""Simulated nodes: many kubelets whose pods run on paper, in one process with one watch of all pods.

    pods --one informer--> kubelet of simulated-1
                           kubelet of simulated-2  --few requests at a time--> API server
                           ...

Each node speaks as its own user, so it may do what a real one may and no more. It brings its podCIDR along, so none
is taken from the real ones, and it carries no annotation of flannel, so no real node programs a way to it.
"""

import asyncio
import random
import time
from collections.abc import Callable, Sequence

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import Object
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.cluster.paper import PaperNode
from pybernetes.kubelet.api_source import SharedPods
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.simulated.node import simulated_kubelet
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses

_CAPACITY = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "500Gi", "pods": "110"}


class NoEvents:
    """Pods on paper leave no events: 5,000 of them would make 15,000 objects that tell nothing."""

    def event(self, obj: Object | ObjectReference, type_: str, reason: str, message: str) -> None:
        """Nothing is written."""


async def run_simulated(
    nodes: Sequence[PaperNode],
    client_for: Callable[[str], Client],
    informers: Informers,
    *,
    rng: random.Random,
    clock: Callable[[], float] = time.time,
) -> None:
    """Be the kubelets of `nodes` until cancelled. `client_for` gives each its client; informers are run by others."""
    pods = SharedPods(informers)
    async with asyncio.TaskGroup() as group:
        for node in nodes:
            kubelet = _kubelet(node, client_for(node.name), pods, rng.random(), clock)
            group.create_task(kubelet.run(), name=f"kubelet of {node.name}")
            await asyncio.sleep(0)


def _kubelet(
    node: PaperNode,
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
