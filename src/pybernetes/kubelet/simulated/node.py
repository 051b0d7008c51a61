"""Makes the kubelet of a simulated node."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

from pybernetes.client.client import Client
from pybernetes.kubelet.cgroups import NoCgroups
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.kubelet import Kubelet, Task
from pybernetes.kubelet.node import machine
from pybernetes.kubelet.node.node_object import Pressure
from pybernetes.kubelet.node.reporter import NodeReporter
from pybernetes.kubelet.pods import PodManager, PodRegistry
from pybernetes.kubelet.services import Services
from pybernetes.kubelet.simulated.parts import AlwaysHealthy, AnyImage, NoHooks, SimulatedSpecs, SimulatedVolumes
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime
from pybernetes.kubelet.status_manager import StatusManager
from pybernetes.kubelet.types import Clock, PodSource, Recorder
from pybernetes.kubelet.volumes.plugin import VolumePlugin


def simulated_kubelet(
    config: KubeletConfig,
    client: Client,
    runtime: SimulatedRuntime,
    recorder: Recorder,
    pods: PodSource,
    *,
    clock: Clock = time.time,
    plugins: Sequence[VolumePlugin[Any]] = (),
) -> Kubelet:
    """Make a kubelet that does not touch the machine. The node's capacity is `config.capacity`."""
    config.check()
    return Kubelet(config, runtime, _SimulatedNode(config, client, runtime, recorder, clock, plugins), pods)


class _SimulatedNode:
    """A `Node` in memory."""

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        runtime: SimulatedRuntime,
        recorder: Recorder,
        clock: Clock,
        plugins: Sequence[VolumePlugin[Any]],
    ) -> None:
        self.port = config.port
        self.registry = PodRegistry()
        self.status = StatusManager(client, self.registry.in_api)
        services = Services(
            config=config,
            runtime=runtime,
            runtime_name="simulated",
            recorder=recorder,
            clock=clock,
            status=self.status,
            probes=AlwaysHealthy(),
            volumes=SimulatedVolumes(plugins),
            cgroups=NoCgroups(),
            images=AnyImage(),
            specs=SimulatedSpecs(),
            hooks=NoHooks(),
        )
        self.pods = PodManager(services, self.registry, client)
        capacity = dict(config.capacity)
        self.reporter = NodeReporter(
            config,
            client,
            runtime,
            recorder=recorder,
            clock=clock,
            port=lambda: config.port,
            capacity=capacity,
            allocatable=machine.allocatable(config, capacity),
            pressure=Pressure,
        )

    def tasks(self) -> Iterable[Task]:
        """None."""
        return ()

    async def synced(self) -> None:
        """Waits for nothing."""

    async def close(self) -> None:
        """Ends nothing."""
