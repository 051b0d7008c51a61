"""Makes the kubelet of a real node, with containers, volumes, probes, images, logs and an HTTPS server."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.kubelet.api_objects import ObjectKey
from pybernetes.kubelet.api_source import NodePods
from pybernetes.kubelet.cgroups import NoCgroups, PodCgroups
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.environment import environment_references
from pybernetes.kubelet.hooks import LifecycleHooks
from pybernetes.kubelet.image_gc import ImageCollector
from pybernetes.kubelet.images import ImagePuller, image_references
from pybernetes.kubelet.kubelet import Kubelet, Task
from pybernetes.kubelet.logs.rotation import LogRotator
from pybernetes.kubelet.node import machine
from pybernetes.kubelet.node.reporter import NodeReporter
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
from pybernetes.kubelet.volumes.kinds import volume_plugins
from pybernetes.kubelet.volumes.manager import VolumeManager
from pybernetes.kubelet.volumes.plugin import Host, VolumePlugin
from pybernetes.kubelet.waiting import wait_at_most

_VOLUME_REFRESH = 60.0

VolumePlugins = Callable[[Host], Sequence[VolumePlugin[Any]]]
"""Makes the volume plugins of a node."""


def real_kubelet(
    config: KubeletConfig,
    client: Client,
    informers: Informers,
    runtime: Runtime,
    recorder: Recorder,
    *,
    clock: Clock = time.time,
    runtime_name: str = "containerd",
    plugins: VolumePlugins = volume_plugins,
) -> Kubelet:
    """Make a kubelet that runs the pods bound to `config.node_name` on this machine."""
    config.check()
    node = _RealNode(config, client, informers, runtime, recorder, clock, runtime_name, plugins)
    return Kubelet(config, runtime, node, NodePods(informers, config.node_name))


class _RealNode:
    """A `Node` on this machine."""

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        informers: Informers,
        runtime: Runtime,
        recorder: Recorder,
        clock: Clock,
        runtime_name: str,
        plugins: VolumePlugins,
    ) -> None:
        self._config, self._clock = config, clock
        self.registry = PodRegistry()
        self.status = StatusManager(client, self.registry.in_api)
        capacity = machine.capacity(config)
        allocatable = machine.allocatable(config, capacity)
        self._cluster_services = informers.of(Service)
        self._objects = ObjectCache(client, self._object_changed)
        self._tokens = TokenManager(client, clock)
        host = Host(objects=self._objects, tokens=self._tokens, allocatable=allocatable, clock=clock)
        self._volumes = VolumeManager(config, plugins(host), clock)
        self._probes = ProbeManager(runtime, recorder=recorder, clock=clock, changed=self._poke, node_ip=config.node_ip)
        self._images = ImagePuller(
            runtime, objects=self._objects, recorder=recorder, clock=clock, max_pulls=config.max_pulls
        )
        self._image_gc = ImageCollector(config, runtime, clock, self.registry)
        self._rotator = LogRotator(config, runtime, self.registry)
        self._server = KubeletServer(config, runtime, self.registry)
        self._refresh: set[str] = set()
        self._refresh_wake = asyncio.Event()
        cgroups = PodCgroups(config.cgroup_root) if config.cgroups_per_qos else NoCgroups()
        specs = PodSpecs(
            config,
            objects=self._objects,
            volumes=self._volumes,
            images=runtime,
            cgroups=cgroups,
            services=self._cluster_services.cache.all,
            allocatable=allocatable,
        )
        services = Services(
            config=config,
            runtime=runtime,
            runtime_name=runtime_name,
            recorder=recorder,
            clock=clock,
            status=self.status,
            probes=self._probes,
            volumes=self._volumes,
            cgroups=cgroups,
            images=self._images,
            specs=specs,
            hooks=LifecycleHooks(config, runtime),
        )
        self.pods = PodManager(services, self.registry, client)
        self.pods.on_change.append(self._pod_changed)
        self._static: StaticPods | None = None
        if config.static_pod_path is not None:
            self._static = StaticPods(config, client, self.pods, self.registry)
        self.reporter = NodeReporter(
            config,
            client,
            runtime,
            recorder=recorder,
            clock=clock,
            port=lambda: self.port,
            capacity=capacity,
            allocatable=allocatable,
            pressure=lambda: machine.pressure(config),
        )

    @property
    def port(self) -> int:
        """Port of the HTTPS server."""
        return self._server.port

    def tasks(self) -> Iterable[Task]:
        """Volume refresh, image garbage collection, log rotation, HTTPS server, static pods."""
        yield "volumes", self._refresh_volumes
        yield "image garbage collection", self._image_gc.run
        yield "log rotation", self._rotator.run
        if self._config.serve:
            yield "server", self._server.run
        if self._static is not None:
            yield "static pods", self._static.run

    async def synced(self) -> None:
        """Wait for the static pods, and for the Services that containers get environment variables for."""
        if self._static is not None:
            await self._static.synced.wait()
        await self._cluster_services.synced()

    async def close(self) -> None:
        """End probes and watches of objects."""
        await self._probes.close()
        await self._objects.close()

    def _poke(self, uid: str) -> None:
        self.pods.poke(uid)

    def _object_changed(self, uid: str) -> None:
        """An object that a pod refers to has changed: refresh its volumes, and retry a start that failed without it."""
        self._want_refresh(uid)
        self._poke(uid)

    def _want_refresh(self, uid: str) -> None:
        self._refresh.add(uid)
        self._refresh_wake.set()

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Watch the objects that the pod refers to. Refresh its volumes if its labels or annotations have changed."""
        if new is not None:
            self._objects.track(new.metadata.uid, self._references(new))
            if old is not None and _metadata_differs(old, new):
                self._want_refresh(new.metadata.uid)
        elif old is not None:
            self._objects.track(old.metadata.uid, frozenset())
            self._tokens.forget(old.metadata.uid)
            self._images.forget(old.metadata.uid)

    def _references(self, pod: Pod) -> frozenset[ObjectKey]:
        volumes = self._volumes.references(pod)
        return frozenset((*environment_references(pod), *image_references(pod), *volumes))

    async def _refresh_volumes(self) -> None:
        """Refresh volumes when an object has changed, or when a volume's `refresh_at` has come."""
        while True:
            pause = min(max(self._volumes.next_refresh() - self._clock(), 1.0), _VOLUME_REFRESH)
            await wait_at_most(self._refresh_wake, pause)
            self._refresh_wake.clear()
            due, self._refresh = self._refresh | self._volumes.due(), set()
            for uid in due:
                pod = self.registry.get(uid)
                if pod is not None:
                    await self._volumes.refresh(pod)


def _metadata_differs(old: Pod, new: Pod) -> bool:
    a, b = old.metadata, new.metadata
    return a.labels != b.labels or a.annotations != b.annotations
