"""The kubelet: everything of one node wired together, and the tasks that keep it going."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable

from pybernetes.api.core.pod import Pod
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.kubelet.api_source import NodePods
from pybernetes.kubelet.cgroups import NoCgroups
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.node import machine
from pybernetes.kubelet.node.node_object import Pressure
from pybernetes.kubelet.node.reporter import NodeReporter
from pybernetes.kubelet.pods import PodManager, PodRegistry
from pybernetes.kubelet.real_node import RealNode
from pybernetes.kubelet.runtime import Runtime
from pybernetes.kubelet.services import Services
from pybernetes.kubelet.simulated_node import AlwaysHealthy, AnyImage, NoHooks, NoVolumes, PaperSpecs
from pybernetes.kubelet.status_manager import StatusManager
from pybernetes.kubelet.types import Clock, PodSource, Recorder

log = logging.getLogger(__name__)

Task = tuple[str, Callable[[], Coroutine[None, None, None]]]


class Kubelet:
    """One node's kubelet. `run` works until cancelled; containers go on running after it.

    With `simulated` nothing touches the machine: the runtime should be a `SimulatedRuntime` then.
    """

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        informers: Informers,
        runtime: Runtime,
        recorder: Recorder,
        *,
        pods: PodSource | None = None,
        clock: Clock = time.time,
        simulated: bool = False,
        runtime_name: str = "containerd",
    ) -> None:
        config.check()
        self.config = config
        self.runtime = runtime
        self.registry = PodRegistry()
        self._source = pods or NodePods(informers, config.node_name)
        self.status = StatusManager(client, self.registry.in_api)
        capacity = dict(config.capacity) if simulated else machine.capacity(config)
        allocatable = machine.allocatable(config, capacity)
        self.real: RealNode | None = None
        if simulated:
            self.services = _simulated(config, runtime, recorder, clock, self.status)
        else:
            self.real = RealNode(
                config, client, informers, runtime, recorder, clock, self.registry, allocatable, self._poke
            )
            self.services = self.real.services(self.status, runtime_name)
        self.pods = PodManager(self.services, self.registry, client)
        if self.real is not None:
            self.pods.on_change.append(self.real.pod_changed)
            self.real.attach(self.pods)
        self.node = NodeReporter(
            config,
            client,
            runtime,
            recorder=recorder,
            clock=clock,
            port=lambda: self.port,
            capacity=capacity,
            allocatable=allocatable,
            pressure=Pressure if simulated else lambda: machine.pressure(config),
        )

    @property
    def port(self) -> int:
        """Where the HTTPS server listens."""
        return self.real.port if self.real is not None else self.config.port

    def _poke(self, uid: str) -> None:
        self.pods.poke(uid)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, task in self._tasks():
                    group.create_task(task(), name=f"{name} of {self.config.node_name}")
        finally:
            if self.real is not None:
                await self.real.close()

    def _tasks(self) -> Iterable[Task]:
        """All that runs for as long as the kubelet does; pods come first, so that a restart finds them quickly."""
        yield "pods", self.pods.run
        yield "pod status", self.status.run
        yield "node", self.node.run
        yield "sources", self._follow_sources
        yield "runtime events", self._follow_runtime
        if self.real is not None:
            yield from self.real.tasks()

    async def _follow_sources(self) -> None:
        """Hear of pods; once all are known, what else the runtime has is nobody's."""
        if self.real is not None:
            await self.real.static_synced()
            await self.real.services_synced()
        self._source.subscribe(self._handle)
        await self._source.synced()
        await self.pods.remove_orphans()

    def _handle(self, old: Pod | None, new: Pod | None) -> None:
        self.pods.handle(old, new)

    async def _follow_runtime(self) -> None:
        async for uid in self.runtime.events():
            if uid:
                self.pods.poke(uid)
            else:
                self.pods.poke_all()
                self.node.poke()


def _simulated(
    config: KubeletConfig, runtime: Runtime, recorder: Recorder, clock: Clock, status: StatusManager
) -> Services:
    return Services(
        config=config,
        runtime=runtime,
        runtime_name="simulated",
        recorder=recorder,
        clock=clock,
        status=status,
        probes=AlwaysHealthy(),
        volumes=NoVolumes(),
        cgroups=NoCgroups(),
        images=AnyImage(),
        specs=PaperSpecs(),
        hooks=NoHooks(),
    )
