"""Runs all controllers of a process: the one ordered list, and what they share.

Controllers start in the order of the list. It does not matter for correctness, since every loop is level-triggered.
Namespaces and service accounts come first because pods can't be created without them, then the loops that create pods,
those that follow pods, and those that clean up.
"""

import asyncio
from collections.abc import Callable

from pybernetes.client.client import Client
from pybernetes.client.discovery import Discovery
from pybernetes.client.informer import Informers
from pybernetes.controllers.base import Controller
from pybernetes.controllers.clusterrole_aggregation import ClusterRoleAggregationController
from pybernetes.controllers.config import Config
from pybernetes.controllers.daemonset import DaemonSetController
from pybernetes.controllers.deployment import DeploymentController
from pybernetes.controllers.disruption_budget import DisruptionController
from pybernetes.controllers.endpoints import EndpointsController
from pybernetes.controllers.endpointslice import EndpointSliceController
from pybernetes.controllers.endpointslicemirroring import EndpointSliceMirroringController
from pybernetes.controllers.garbage import GarbageCollector
from pybernetes.controllers.namespace import NamespaceController
from pybernetes.controllers.nodeipam import NodeIpamController
from pybernetes.controllers.nodelifecycle import NodeLifecycleController
from pybernetes.controllers.podgc import PodGarbageCollector
from pybernetes.controllers.replicaset import ReplicaSetController
from pybernetes.controllers.replicationcontroller import ReplicationControllerController
from pybernetes.controllers.rootca import RootCAPublisher
from pybernetes.controllers.satoken import ServiceAccountTokenController
from pybernetes.controllers.serviceaccount import ServiceAccountController
from pybernetes.controllers.tainteviction import TaintEvictionController
from pybernetes.controllers.types import Clock, Context, LoopClock, Mint, Observe, Recorder, unobserved

CONTROLLERS: tuple[type[Controller], ...] = (
    NamespaceController,
    ServiceAccountController,
    ServiceAccountTokenController,
    RootCAPublisher,
    DeploymentController,
    ReplicaSetController,
    ReplicationControllerController,
    DaemonSetController,
    DisruptionController,
    EndpointsController,
    EndpointSliceController,
    EndpointSliceMirroringController,
    NodeIpamController,
    NodeLifecycleController,
    TaintEvictionController,
    ClusterRoleAggregationController,
    PodGarbageCollector,
    GarbageCollector,
)


class ControllerManager:
    """All controllers over one set of informers, each writing as its own service account.

    `client_for(component)` returns a client that acts as `system:serviceaccount:kube-system:<component>`, or as the
    user `system:kube-controller-manager` for the component of that name, and `recorder_for(component)` an event
    recorder. Both are called once per controller.
    """

    def __init__(
        self,
        client_for: Callable[[str], Client],
        informers: Informers,
        config: Config,
        *,
        recorder_for: Callable[[str], Recorder],
        clock: Clock | None = None,
        observe: Observe = unobserved,
        mint_token: Mint | None = None,
        controllers: tuple[type[Controller], ...] = CONTROLLERS,
    ) -> None:
        clock = clock or LoopClock()
        self._discovery = Discovery(informers.client, clock=clock)
        self.controllers = [
            controller(
                Context(
                    client=client_for(controller.component),
                    informers=informers,
                    discovery=self._discovery,
                    recorder=recorder_for(controller.component),
                    clock=clock,
                    config=config,
                    observe=observe,
                    mint_token=mint_token,
                )
            )
            for controller in controllers
        ]

    async def run(self) -> None:
        """Run until cancelled. The caller runs the informers, which it may share with other components."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._discovery.run(), name="discovery")
            for controller in self.controllers:
                group.create_task(controller.run(), name=f"controller {controller.name}")
