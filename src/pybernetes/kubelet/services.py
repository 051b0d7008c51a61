"""What a pod's worker works with, each a small protocol, so that simulated pods can leave most of it out."""

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
    """Looks after the health of containers."""

    def update(self, pod: Pod, state: PodState) -> None:
        """These containers are there now: start and stop probing accordingly."""

    def health(self, pod: Pod, state: PodState) -> Health:
        """The newest findings."""

    def stop(self, uid: str, *, keep_readiness: bool = False) -> None:
        """Stop probing a pod that is ending; readiness goes on while it drains if `keep_readiness`."""


class Volumes(Protocol):
    """A pod's directories."""

    async def set_up(self, pod: Pod) -> None:
        """Make all volumes ready to be mounted; raises VolumesNotReady."""

    async def tear_down(self, pod: Pod) -> None:
        """Remove all directories, mounts and logs of a pod; of its metadata alone if no more is known."""

    def uids(self) -> set[str]:
        """Pods that have directories on this node."""


class Cgroups(Protocol):
    """A pod's control groups."""

    def parent(self, pod: Pod) -> str:
        """The cgroup below which the pod's containers live."""

    def create(self, pod: Pod) -> None:
        """Make it, with the pod's limits."""

    def remove(self, uid: str) -> None:
        """Kill what is left in it, and remove it."""


class ImageSource(Protocol):
    """Has a container's image on the node."""

    async def ensure(self, pod: Pod, container: AnyContainer) -> str:
        """A reference to run by; raises StartFailed."""


class Specs(Protocol):
    """Turns a pod into what the runtime is to make."""

    def sandbox(self, pod: Pod, attempt: int) -> SandboxSpec:
        """The pod's sandbox."""

    async def container(
        self, pod: Pod, container: AnyContainer, kind: ContainerKind, attempt: int, image: str, state: PodState
    ) -> ContainerSpec:
        """One of its containers; raises StartFailed."""


class Hooks(Protocol):
    """Lifecycle hooks, and what a container leaves behind."""

    async def post_start(self, pod: Pod, container: AnyContainer, container_id: str, ip: str) -> None:
        """Run the postStart hook; raises HookFailed."""

    async def pre_stop(self, pod: Pod, container: AnyContainer, container_id: str, ip: str, grace: float) -> None:
        """Run the preStop hook, for at most `grace` seconds; raises HookFailed."""

    def termination_message(self, info: ContainerInfo) -> str:
        """What an ended container has written as its last word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """All of it together."""

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
