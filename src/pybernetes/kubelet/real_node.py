"""What a real node has beside its pods' workers: objects, tokens, volumes, probes, images, logs, its server."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.kubelet.cgroups import NoCgroups, PodCgroups
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.hooks import LifecycleHooks
from pybernetes.kubelet.image_gc import ImageCollector
from pybernetes.kubelet.images import ImagePuller
from pybernetes.kubelet.logs.rotation import LogRotator
from pybernetes.kubelet.objects import ObjectCache
from pybernetes.kubelet.pods import PodManager, PodRegistry
from pybernetes.kubelet.probes.manager import ProbeManager
from pybernetes.kubelet.runtime import Runtime
from pybernetes.kubelet.server.server import KubeletServer
from pybernetes.kubelet.services import Services
from pybernetes.kubelet.specs import PodSpecs
from pybernetes.kubelet.static_pods import StaticPods
from pybernetes.kubelet.status_manager import StatusManager
from pybernetes.kubelet.tokens import TokenManager
from pybernetes.kubelet.types import Clock, Recorder
from pybernetes.kubelet.volumes.manager import VolumeManager
from pybernetes.kubelet.volumes.payload import Sources

_VOLUME_REFRESH = 60.0


class RealNode:
    """The collaborators of one real node, and their tasks."""

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        informers: Informers,
        runtime: Runtime,
        recorder: Recorder,
        clock: Clock,
        registry: PodRegistry,
        allocatable: dict[str, str],
        poke: Callable[[str], None],
    ) -> None:
        self._config, self._runtime, self._recorder, self._clock = config, runtime, recorder, clock
        self._registry = registry
        self._poke = poke
        self._allocatable = allocatable
        self._cluster_services = informers.of(Service)
        self.objects = ObjectCache(client, self._object_changed)
        self.tokens = TokenManager(client, clock)
        self.volumes = VolumeManager(config, Sources(self.objects, self.tokens, allocatable), clock)
        self.probes = ProbeManager(runtime, recorder=recorder, clock=clock, changed=poke, node_ip=config.node_ip)
        self.images = ImagePuller(
            runtime, objects=self.objects, recorder=recorder, clock=clock, max_pulls=config.max_pulls
        )
        self.image_gc = ImageCollector(config, runtime, clock, registry)
        self.rotator = LogRotator(config, runtime, registry)
        self.server = KubeletServer(config, runtime, registry)
        self.static: StaticPods | None = None
        self._client = client
        self._refresh: set[str] = set()
        self._refresh_wake = asyncio.Event()

    def services(self, status: StatusManager, runtime_name: str) -> Services:
        """What workers need."""
        config = self._config
        cgroups = PodCgroups(config.cgroup_root) if config.cgroups_per_qos else NoCgroups()
        specs = PodSpecs(
            config,
            objects=self.objects,
            images=self._runtime,
            cgroups=cgroups,
            services=self._cluster_services.cache.all,
            allocatable=self._allocatable,
        )
        return Services(
            config=config,
            runtime=self._runtime,
            runtime_name=runtime_name,
            recorder=self._recorder,
            clock=self._clock,
            status=status,
            probes=self.probes,
            volumes=self.volumes,
            cgroups=cgroups,
            images=self.images,
            specs=specs,
            hooks=LifecycleHooks(config, self._runtime),
        )

    def attach(self, pods: PodManager) -> None:
        """Static pods go to the same workers."""
        if self._config.static_pod_path is not None:
            self.static = StaticPods(self._config, self._client, pods, self._registry)

    async def static_synced(self) -> None:
        """Wait until the manifests have been read."""
        if self.static is not None:
            await self.static.synced.wait()

    async def services_synced(self) -> None:
        """Wait for the Services, of which containers get variables."""
        await self._cluster_services.synced()

    @property
    def port(self) -> int:
        """Where the server listens."""
        return self.server.port

    def tasks(self) -> Iterable[tuple[str, Callable[[], Coroutine[None, None, None]]]]:
        """All that runs."""
        yield "volumes", self._refresh_volumes
        yield "image collection", self.image_gc.run
        yield "log rotation", self.rotator.run
        if self._config.serve:
            yield "server", self.server.run
        if self.static is not None:
            yield "static pods", self.static.run

    async def close(self) -> None:
        """End what has tasks of its own."""
        await self.probes.close()
        await self.objects.close()

    def _object_changed(self, uid: str) -> None:
        """A ConfigMap or Secret that a pod uses has changed: its volumes follow."""
        self._want_refresh(uid)
        self._poke(uid)

    def _want_refresh(self, uid: str) -> None:
        self._refresh.add(uid)
        self._refresh_wake.set()

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Watch what the pod refers to; its labels and annotations may be in a volume."""
        self.objects.pod_changed(old, new)
        if new is None and old is not None:
            self.tokens.forget(old.metadata.uid)
            self.images.forget(old.metadata.uid)
        elif new is not None and old is not None:
            a, b = old.metadata, new.metadata
            if a.labels != b.labels or a.annotations != b.annotations:
                self._want_refresh(b.uid)

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
                pod = self._registry.get(uid)
                if pod is not None:
                    await self.volumes.refresh(pod)
                else:
                    self.tokens.forget(uid)
