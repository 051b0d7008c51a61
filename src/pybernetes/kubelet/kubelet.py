"""The kubelet: everything of one node wired together, and the tasks that keep it going."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Iterable

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.kubelet.api_source import NodePods
from pybernetes.kubelet.cgroups import NoCgroups, PodCgroups
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.hooks import LifecycleHooks
from pybernetes.kubelet.images import ImagePuller
from pybernetes.kubelet.node import machine
from pybernetes.kubelet.node.reporter import NodeReporter
from pybernetes.kubelet.objects import ObjectCache
from pybernetes.kubelet.pods import PodManager, PodRegistry
from pybernetes.kubelet.probes.manager import ProbeManager
from pybernetes.kubelet.runtime import Runtime
from pybernetes.kubelet.services import Services
from pybernetes.kubelet.specs import PodSpecs
from pybernetes.kubelet.status_manager import StatusManager
from pybernetes.kubelet.tokens import TokenManager
from pybernetes.kubelet.types import Clock, PodSource, Recorder
from pybernetes.kubelet.volumes.manager import VolumeManager
from pybernetes.kubelet.volumes.payload import Sources

log = logging.getLogger(__name__)

_VOLUME_REFRESH = 60.0


class Kubelet:
    """One node's kubelet. `run` works until cancelled; containers go on running after it."""

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
    ) -> None:
        config.check()
        self.config = config
        self.runtime = runtime
        self.registry = PodRegistry()
        self._source = pods or NodePods(informers, config.node_name)
        self._services_informer = informers.of(Service)
        self._clock = clock
        capacity = machine.capacity(config)
        allocatable = machine.allocatable(config, capacity)
        self.objects = ObjectCache(client, self._object_changed)
        self.tokens = TokenManager(client, clock)
        self.volumes = VolumeManager(config, Sources(self.objects, self.tokens, allocatable), clock)
        self.status = StatusManager(client, self.registry.get)
        cgroups = PodCgroups(config.cgroup_root) if config.cgroups_per_qos else NoCgroups()
        self.probes = ProbeManager(runtime, recorder=recorder, clock=clock, changed=self._poke, node_ip=config.node_ip)
        self.images = ImagePuller(
            runtime, objects=self.objects, recorder=recorder, clock=clock, max_pulls=config.max_pulls
        )
        self.services = Services(
            config=config,
            runtime=runtime,
            runtime_name="containerd",
            recorder=recorder,
            clock=clock,
            status=self.status,
            probes=self.probes,
            volumes=self.volumes,
            cgroups=cgroups,
            images=self.images,
            specs=PodSpecs(
                config,
                objects=self.objects,
                images=runtime,
                cgroups=cgroups,
                services=self._cluster_services,
                allocatable=allocatable,
            ),
            hooks=LifecycleHooks(config, runtime),
        )
        self.pods = PodManager(self.services, self.registry, client)
        self.pods.on_change.append(self._pod_changed)
        self.node = NodeReporter(
            config,
            client,
            runtime,
            recorder=recorder,
            clock=clock,
            port=lambda: self.port,
            capacity=capacity,
            allocatable=allocatable,
        )
        self.port = config.port
        self._refresh: set[str] = set()
        self._refresh_wake = asyncio.Event()

    def _cluster_services(self) -> Iterable[Service]:
        return self._services_informer.cache.all()

    def _poke(self, uid: str) -> None:
        self.pods.poke(uid)

    def _object_changed(self, uid: str) -> None:
        """A ConfigMap or Secret that a pod uses has changed: its volumes follow."""
        self._refresh.add(uid)
        self._refresh_wake.set()
        self.pods.poke(uid)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        self.objects.pod_changed(old, new)
        if new is not None and old is not None and old.metadata != new.metadata:
            self._refresh.add(new.metadata.uid)
            self._refresh_wake.set()
        if new is None and old is not None:
            self.tokens.forget(old.metadata.uid)
            self.images.forget(old.metadata.uid)

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, task in self._tasks():
                    group.create_task(task(), name=f"{name} of {self.config.node_name}")
        finally:
            await self.probes.close()
            await self.objects.close()

    def _tasks(self) -> Iterable[tuple[str, Callable[[], Coroutine[None, None, None]]]]:
        """All that runs for as long as the kubelet does."""
        yield "node", self.node.run
        yield "pod status", self.status.run
        yield "pods", self.pods.run
        yield "sources", self._follow_source
        yield "runtime events", self._follow_runtime
        yield "volumes", self._refresh_volumes

    async def _follow_source(self) -> None:
        self._source.subscribe(self.pods.handle)
        await self._source.synced()
        await self.pods.remove_orphans()

    async def _follow_runtime(self) -> None:
        async for uid in self.runtime.events():
            if uid:
                self.pods.poke(uid)
            else:
                self.pods.poke_all()
                self.node.poke()

    async def _refresh_volumes(self) -> None:
        """Write volumes again when an object has changed or a token is due."""
        while True:
            pause = min(max(self.tokens.next_renewal() - self._clock(), 1.0), _VOLUME_REFRESH)
            try:
                await asyncio.wait_for(self._refresh_wake.wait(), pause)
            except TimeoutError:
                pass
            self._refresh_wake.clear()
            due, self._refresh = self._refresh | self.tokens.due(), set()
            for uid in due:
                pod = self.registry.get(uid)
                if pod is not None:
                    await self.volumes.refresh(pod)
                else:
                    self.tokens.forget(uid)
