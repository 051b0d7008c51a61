"""The services of a simulated node's workers. They do not touch the machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet import names
from pybernetes.kubelet.health import Health
from pybernetes.kubelet.plan import ContainerKind
from pybernetes.kubelet.podspec import AnyContainer, container_hash
from pybernetes.kubelet.runtime import ContainerInfo, ContainerSpec, PodState, SandboxSpec, Security
from pybernetes.kubelet.security import namespaces
from pybernetes.kubelet.volumes.manager import set_up_volume
from pybernetes.kubelet.volumes.plugin import Target, VolumePlugin


class SimulatedVolumes:
    """Volumes that are always ready. Those of `plugins` that need no real node are set up."""

    def __init__(self, plugins: Sequence[VolumePlugin[Any]] = ()) -> None:
        self._plugins = [plugin for plugin in plugins if not plugin.needs_node]

    async def set_up(self, pod: Pod) -> None:
        """Set up the volumes that need no real node; raises VolumesNotReady."""
        for volume in pod.spec.volumes:
            plugin = next((p for p in self._plugins if p.source(volume) is not None), None)
            if plugin is not None:
                target = Target(pod=pod, name=volume.name, directory=_NOWHERE, first=True)
                await set_up_volume(plugin, volume, target)

    async def tear_down(self, pod: Pod) -> None:
        """Removes nothing."""

    def uids(self) -> set[str]:
        """Empty: no pod has directories."""
        return set()


_NOWHERE = Path("/dev/null/simulated")
"""A directory that cannot be created."""


class AlwaysHealthy:
    """Probes that always succeed."""

    def update(self, pod: Pod, state: PodState) -> None:
        """Starts nothing."""

    def health(self, pod: Pod, state: PodState) -> Health:
        """Running containers are started and ready."""
        ids = frozenset(info.id for info in state.containers if info.state == "running")
        return Health(ids, ids)

    def stop(self, uid: str, *, keep_readiness: bool = False) -> None:
        """Stops nothing."""


class NoHooks:
    """Hooks that succeed immediately."""

    async def post_start(self, pod: Pod, container: AnyContainer, container_id: str, ip: str) -> None:
        """Succeeds."""

    async def pre_stop(self, pod: Pod, container: AnyContainer, container_id: str, ip: str, grace: float) -> None:
        """Succeeds."""

    def termination_message(self, info: ContainerInfo) -> str:
        """Empty."""
        return ""


class AnyImage:
    """Every image is available."""

    async def ensure(self, pod: Pod, container: AnyContainer) -> str:
        """Returns the image's name."""
        return container.image


class SimulatedSpecs:
    """Specifications with the fields that the simulated runtime uses."""

    def sandbox(self, pod: Pod, attempt: int) -> SandboxSpec:
        """A sandbox with names and network."""
        meta = pod.metadata
        return SandboxSpec(
            name=meta.name,
            namespace=meta.namespace,
            uid=meta.uid,
            attempt=attempt,
            annotations=meta.annotations,
            security=Security(namespaces=namespaces(pod)),
        )

    async def container(
        self, pod: Pod, container: AnyContainer, kind: ContainerKind, attempt: int, image: str, state: PodState
    ) -> ContainerSpec:
        """A container with name, image and hash."""
        return ContainerSpec(
            name=container.name,
            image=image,
            image_name=container.image,
            attempt=attempt,
            annotations={names.CONTAINER_HASH: container_hash(container)},
        )
