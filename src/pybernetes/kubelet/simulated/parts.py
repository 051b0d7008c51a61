"""What a simulated node has in place of volumes, cgroups, probes and hooks: nothing that touches the machine."""

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
    """Volumes that are always ready, except those of `plugins` that need no real node: they are set up."""

    def __init__(self, plugins: Sequence[VolumePlugin[Any]] = ()) -> None:
        self._plugins = [plugin for plugin in plugins if not plugin.needs_node]

    async def set_up(self, pod: Pod) -> None:
        """Set up what does not touch the machine; raises VolumesNotReady."""
        for volume in pod.spec.volumes:
            plugin = next((p for p in self._plugins if p.source(volume) is not None), None)
            if plugin is not None:
                target = Target(pod=pod, name=volume.name, directory=_NOWHERE, first=True)
                await set_up_volume(plugin, volume, target)

    async def tear_down(self, pod: Pod) -> None:
        """There is nothing to remove."""

    def uids(self) -> set[str]:
        """No pod has directories."""
        return set()


_NOWHERE = Path("/dev/null/simulated")
"""A directory that cannot be made."""


class AlwaysHealthy:
    """Probes that always succeed."""

    def update(self, pod: Pod, state: PodState) -> None:
        """Nothing to probe."""

    def health(self, pod: Pod, state: PodState) -> Health:
        """What runs is started and ready."""
        ids = frozenset(info.id for info in state.containers if info.state == "running")
        return Health(ids, ids)

    def stop(self, uid: str, *, keep_readiness: bool = False) -> None:
        """Nothing to stop."""


class NoHooks:
    """Hooks that succeed at once."""

    async def post_start(self, pod: Pod, container: AnyContainer, container_id: str, ip: str) -> None:
        """Succeeds."""

    async def pre_stop(self, pod: Pod, container: AnyContainer, container_id: str, ip: str, grace: float) -> None:
        """Succeeds."""

    def termination_message(self, info: ContainerInfo) -> str:
        """None."""
        return ""


class AnyImage:
    """Every image is there."""

    async def ensure(self, pod: Pod, container: AnyContainer) -> str:
        """The image's own name."""
        return container.image


class SimulatedSpecs:
    """Only what the simulated runtime looks at."""

    def sandbox(self, pod: Pod, attempt: int) -> SandboxSpec:
        """Names and network."""
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
        """Name, image and hash."""
        return ContainerSpec(
            name=container.name,
            image=image,
            image_name=container.image,
            attempt=attempt,
            annotations={names.CONTAINER_HASH: container_hash(container)},
        )
