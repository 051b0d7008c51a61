"""The services that a pod's worker uses, each a small protocol that a real and a simulated node implement."""

from dataclasses import dataclass
from typing import Protocol

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.health import Health
from pybernetes.kubelet.plan import ContainerKind
from pybernetes.kubelet.podspec import AnyContainer
from pybernetes.kubelet.runtime import ContainerInfo, ContainerSpec, PodState, Runtime, SandboxSpec
from pybernetes.kubelet.status_manager import StatusManager
from pybernetes.kubelet.types import Clock, Recorder


class Probes(Protocol):
    """Probes containers."""

    def update(self, pod: Pod, state: PodState) -> None:
        """Start and stop probes according to the pod's current containers."""

    def health(self, pod: Pod, state: PodState) -> Health:
        """The health of the pod's containers."""

    def stop(self, uid: str, *, keep_readiness: bool = False) -> None:
        """Stop probing a pod. With `keep_readiness`, readiness probes continue, as while a pod terminates."""


class Volumes(Protocol):
    """Sets up and tears down the volumes of pods."""

    async def set_up(self, pod: Pod) -> None:
        """Set up all volumes of a pod; raises VolumesNotReady."""

    async def tear_down(self, pod: Pod) -> None:
        """Remove a pod's directories, mounts and logs. For an orphan, only the pod's metadata is known."""

    def uids(self) -> set[str]:
        """The uids of pods with directories on this node."""


class Cgroups(Protocol):
    """Manages the cgroups of pods."""

    def parent(self, pod: Pod) -> str:
        """The parent cgroup of the pod's containers."""

    def create(self, pod: Pod) -> None:
        """Create the pod's cgroup with the pod's limits."""

    def remove(self, uid: str) -> None:
        """Kill the processes in the pod's cgroup and remove it."""


class ImageSource(Protocol):
    """Provides the images of containers."""

    async def ensure(self, pod: Pod, container: AnyContainer) -> str:
        """Make the container's image available; returns the reference to run it by. Raises StartFailed."""


class Specs(Protocol):
    """Makes the specifications of sandboxes and containers."""

    def sandbox(self, pod: Pod, attempt: int) -> SandboxSpec:
        """The pod's sandbox."""

    async def container(
        self, pod: Pod, container: AnyContainer, kind: ContainerKind, attempt: int, image: str, state: PodState
    ) -> ContainerSpec:
        """One of the pod's containers; raises StartFailed."""


class Hooks(Protocol):
    """Runs lifecycle hooks and reads termination messages."""

    async def post_start(self, pod: Pod, container: AnyContainer, container_id: str, ip: str) -> None:
        """Run the postStart hook; raises HookFailed."""

    async def pre_stop(self, pod: Pod, container: AnyContainer, container_id: str, ip: str, grace: float) -> None:
        """Run the preStop hook for at most `grace` seconds; raises HookFailed."""

    def termination_message(self, info: ContainerInfo) -> str:
        """The termination message of an exited container."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All services of a worker."""

    config: KubeletConfig
    runtime: Runtime
    runtime_name: str
    recorder: Recorder
    clock: Clock
    status: StatusManager
    probes: Probes
    volumes: Volumes
    cgroups: Cgroups
    images: ImageSource
    specs: Specs
    hooks: Hooks
