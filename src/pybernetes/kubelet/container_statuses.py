"""The statuses of a pod's containers. Pure."""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field

from pybernetes.api.core.container_status import (
    ContainerState,
    ContainerStateRunning,
    ContainerStateTerminated,
    ContainerStateWaiting,
    ContainerStatus,
)
from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.podspec import AnyContainer, is_sidecar
from pybernetes.kubelet.runtime import ContainerInfo, PodState
from pybernetes.kubelet.types import rfc3339

_LOST = "The container could not be located when the pod was terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What the kubelet knows about a pod's containers in addition to the runtime's state."""

    runtime_name: str = "containerd"
    waiting: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Container name -> (reason, message) of its waiting state."""
    started: Set[str] = frozenset()
    """Ids of started containers."""
    ready: Set[str] = frozenset()
    """Ids of ready containers."""
    messages: Mapping[str, str] = field(default_factory=dict)
    """Container id -> termination message."""
    final: bool = False
    """The pod has stopped for good: a container that the runtime does not have has terminated."""


def container_statuses(
    pod: Pod, containers: list[AnyContainer], previous: list[ContainerStatus], state: PodState, observed: Observed
) -> list[ContainerStatus]:
    """One status per container, in the order of the pod's spec."""
    before = {status.name: status for status in previous}
    return [_status(pod, c, before.get(c.name), state, observed) for c in containers]


def _status(
    pod: Pod, container: AnyContainer, before: ContainerStatus | None, state: PodState, observed: Observed
) -> ContainerStatus:
    history = [c for c in state.containers if c.name == container.name]
    if not history:
        return _unseen(pod, container, before, observed)
    latest = history[0]
    current = container_state(latest, observed)
    older = next((c for c in history[1:] if c.state == "exited"), None)
    last = ContainerState(terminated=_terminated(older, observed)) if older is not None else ContainerState()
    if container.name in observed.waiting and latest.state != "running":
        reason, message = observed.waiting[container.name]
        if current.terminated is not None:
            last = ContainerState(terminated=current.terminated)
        current = ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message))
    if last.terminated is None and before is not None and before.restart_count == latest.attempt:
        last = before.last_state
    running = latest.state == "running"
    return ContainerStatus(
        name=container.name,
        image=latest.image,
        image_id=latest.image_id,
        container_id=f"{observed.runtime_name}://{latest.id}",
        restart_count=latest.attempt,
        started=running and latest.id in observed.started,
        ready=_ready(pod, container, latest, observed),
        state=current,
        last_state=last,
    )


def _ready(pod: Pod, container: AnyContainer, latest: ContainerInfo, observed: Observed) -> bool:
    """An init container is ready once it has succeeded; any other while it runs and its readiness probe passes."""
    if any(c.name == container.name for c in pod.spec.init_containers) and not is_sidecar(container):
        return latest.state == "exited" and latest.exit_code == 0
    return latest.state == "running" and latest.id in observed.ready


def _unseen(pod: Pod, container: AnyContainer, before: ContainerStatus | None, observed: Observed) -> ContainerStatus:
    """The status of a container that the runtime does not have: not created yet, or removed."""
    if before is not None and before.container_id and observed.final:
        if before.state.terminated is not None:
            return before
        return ContainerStatus(
            name=before.name,
            image=before.image,
            image_id=before.image_id,
            container_id=before.container_id,
            restart_count=before.restart_count,
            started=False,
            last_state=before.last_state,
            state=ContainerState(
                terminated=ContainerStateTerminated(reason="ContainerStatusUnknown", message=_LOST, exit_code=137)
            ),
        )
    is_init = any(c.name == container.name for c in pod.spec.init_containers)
    default = "PodInitializing" if pod.spec.init_containers and not is_init else "ContainerCreating"
    if pod.spec.init_containers and is_init:
        default = "PodInitializing"
    reason, message = observed.waiting.get(container.name, (default, ""))
    count = before.restart_count if before is not None else 0
    return ContainerStatus(
        name=container.name,
        image=container.image,
        restart_count=count,
        started=False,
        state=ContainerState(waiting=ContainerStateWaiting(reason=reason, message=message)),
        last_state=before.last_state if before is not None else ContainerState(),
    )


def container_state(info: ContainerInfo, observed: Observed) -> ContainerState:
    """The current state of a container that the runtime has."""
    if info.state == "running":
        return ContainerState(running=ContainerStateRunning(started_at=rfc3339(info.started_at)))
    if info.state == "exited":
        return ContainerState(terminated=_terminated(info, observed))
    return ContainerState(waiting=ContainerStateWaiting(reason="ContainerCreating"))


def _terminated(info: ContainerInfo, observed: Observed) -> ContainerStateTerminated:
    return ContainerStateTerminated(
        exit_code=info.exit_code,
        reason=info.reason or ("Completed" if info.exit_code == 0 else "Error"),
        message=observed.messages.get(info.id, info.message),
        started_at=rfc3339(info.started_at) or "1970-01-01T00:00:00Z",
        finished_at=rfc3339(info.finished_at) or "1970-01-01T00:00:00Z",
        container_id=f"{observed.runtime_name}://{info.id}",
    )
