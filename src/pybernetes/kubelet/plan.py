"""The next actions for a pod, computed from its spec and its state in the runtime. Pure.

The worker executes a plan and asks for the next one until the plan is empty, so a plan contains only what can be done
now. The rules are those of the Kubernetes documentation on the lifecycle of pods and containers.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Literal

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.crash_loop import Backoff, go_duration
from pybernetes.kubelet.names import CONTAINER_HASH
from pybernetes.kubelet.podspec import AnyContainer, container_hash, is_sidecar
from pybernetes.kubelet.runtime import ContainerInfo, PodState, Sandbox
from pybernetes.kubelet.types import pod_label

ContainerKind = Literal["init", "regular", "ephemeral"]


@dataclass(frozen=True, slots=True)
class Start:
    """Create and start a container. `attempt` counts from 0."""

    container: AnyContainer
    kind: ContainerKind
    attempt: int
    backoff: Backoff | None = None
    """The container's back-off after this start."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Terminate a running container. A later plan restarts it if its restart policy says so."""

    info: ContainerInfo
    reason: str
    message: str
    container: AnyContainer | None = None
    grace_override: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """Actions, in the order in which to execute them."""

    kills: tuple[Kill, ...] = ()
    stop_sandbox: bool = False
    """Stop the current sandbox with all its containers first."""
    create_sandbox: int | None = None
    """Create a sandbox with this attempt number."""
    remove: tuple[ContainerInfo, ...] = ()
    """Containers that were created but never started."""
    starts: tuple[Start, ...] = ()
    waiting: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Container name -> (reason, message) of containers in back-off."""
    again_at: float = 0.0
    """When to plan again even if nothing happens; 0 for never."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do now."""
        return not (self.kills or self.stop_sandbox or self.create_sandbox is not None or self.starts or self.remove)


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a plan depends on in addition to the pod and the runtime's state."""

    now: float
    backoffs: Mapping[str, Backoff] = field(default_factory=dict)
    unhealthy: Mapping[str, str] = field(default_factory=dict)
    """Container id -> "liveness" or "startup": the failed probe because of which it must be restarted."""
    started: Set[str] = frozenset()
    """Ids of containers whose startup probe has passed, or that have none."""


def make_plan(pod: Pod, state: PodState, inputs: Inputs) -> Plan:
    """The next actions for a pod that shall run."""
    sandbox = state.sandbox
    if sandbox is None or not sandbox.ready or len([s for s in state.sandboxes if s.ready]) > 1:
        return _new_sandbox(pod, state)
    planner = _Planner(pod, state, inputs, sandbox)
    return planner.plan()


def should_restart(pod: Pod, container: AnyContainer, info: ContainerInfo | None) -> bool:
    """Whether to start, or restart, a container that is not running."""
    if info is None or info.state in ("created", "unknown"):
        return True
    if info.state == "running":
        return False
    policy = pod.spec.restart_policy
    if policy == "Never":
        return False
    return policy != "OnFailure" or info.exit_code != 0


def _new_sandbox(pod: Pod, state: PodState) -> Plan:
    old = state.sandbox
    attempt = 0 if old is None else old.attempt + 1
    if old is not None and not _wants_sandbox(pod, state):
        return Plan(stop_sandbox=bool(state.running) or any(s.ready for s in state.sandboxes))
    stop = old is not None and (bool(state.running) or any(s.ready for s in state.sandboxes))
    return Plan(stop_sandbox=stop, create_sandbox=attempt)


def _wants_sandbox(pod: Pod, state: PodState) -> bool:
    """Whether any container would start in a new sandbox. A finished pod needs none."""
    if pod.spec.restart_policy == "Never" and state.containers:
        return False
    return any(_would_run(pod, c, state.latest(c.name)) for c in pod.spec.containers)


def _would_run(pod: Pod, container: AnyContainer, info: ContainerInfo | None) -> bool:
    """Whether a container would run in a new sandbox; a running one is restarted with its sandbox."""
    return (info is not None and info.state == "running") or should_restart(pod, container, info)


class _Planner:
    """Plans for the containers of a pod with a ready sandbox."""

    def __init__(self, pod: Pod, state: PodState, inputs: Inputs, sandbox: Sandbox) -> None:
        self.pod, self.state, self.inputs, self.sandbox = pod, state, inputs, sandbox
        self.kills: list[Kill] = []
        self.starts: list[Start] = []
        self.remove: list[ContainerInfo] = []
        self.waiting: dict[str, tuple[str, str]] = {}
        self.again_at = 0.0
        self.failed = False

    def plan(self) -> Plan:
        initialized = self._init_containers()
        if self.failed:
            return Plan(stop_sandbox=True)
        for ephemeral in self.pod.spec.ephemeral_containers:
            if self.state.latest(ephemeral.name) is None:
                self.starts.append(Start(ephemeral, "ephemeral", 0))
        if initialized:
            for container in self.pod.spec.containers:
                self._regular(container)
            if self._done():
                return Plan(stop_sandbox=True)
        return Plan(
            kills=tuple(self.kills),
            remove=tuple(self.remove),
            starts=tuple(self.starts),
            waiting=self.waiting,
            again_at=self.again_at,
        )

    def _done(self) -> bool:
        """Whether all regular containers have exited for good. Sidecars must not outlive them."""
        pairs = [(c, self.state.latest(c.name)) for c in self.pod.spec.containers]
        ended = all(info is not None and info.state == "exited" for _, info in pairs)
        return ended and not any(should_restart(self.pod, c, info) for c, info in pairs)

    def _in_sandbox(self, name: str) -> ContainerInfo | None:
        return self.state.latest_in(self.sandbox.id, name)

    def _init_containers(self) -> bool:
        """Start the next init container if there is one; returns whether the regular containers may run."""
        started_before = any(self._in_sandbox(c.name) is not None for c in self.pod.spec.containers)
        for container in self.pod.spec.init_containers:
            info = self._in_sandbox(container.name)
            if is_sidecar(container):
                if not self._sidecar(container, info) and not started_before:
                    return False
            elif not started_before and not self._init(container, info):
                return False
        return True

    def _init(self, container: AnyContainer, info: ContainerInfo | None) -> bool:
        """Plan one init container; returns whether it has succeeded."""
        if info is None:
            self._start(container, "init", self.state.latest(container.name))
            return False
        if info.state == "exited":
            if info.exit_code == 0:
                return True
            self.failed = self.pod.spec.restart_policy == "Never"
            if not self.failed:
                self._start(container, "init", info)
            return False
        if info.state == "created":
            self.remove.append(info)
        elif info.state == "unknown":
            self.kills.append(Kill(info, "Killing", _UNKNOWN_STATE.format(container.name), container))
        return False

    def _sidecar(self, container: AnyContainer, info: ContainerInfo | None) -> bool:
        """Plan one sidecar; returns whether it has started, so that the next container may start."""
        if info is None or info.state == "exited":
            self._start(container, "init", info or self.state.latest(container.name))
            return False
        return self._check_running(container, info) and info.id in self.inputs.started

    def _regular(self, container: AnyContainer) -> None:
        info = self._in_sandbox(container.name)
        if info is None:
            before = self.state.latest(container.name)
            if should_restart(self.pod, container, before):
                self._start(container, "regular", before)
        elif info.state == "exited":
            if should_restart(self.pod, container, info):
                self._start(container, "regular", info)
        else:
            self._check_running(container, info)

    def _check_running(self, container: AnyContainer, info: ContainerInfo) -> bool:
        """Terminate a container that is unhealthy or outdated; returns whether it may keep running."""
        if info.state == "created":
            self.remove.append(info)
            return False
        message = ""
        if info.state == "unknown":
            message = _UNKNOWN_STATE.format(container.name)
        elif info.annotations.get(CONTAINER_HASH, container_hash(container)) != container_hash(container):
            message = f"Container {container.name} definition changed"
        elif info.id in self.inputs.unhealthy:
            message = f"Container {container.name} failed {self.inputs.unhealthy[info.id]} probe"
        if not message:
            return True
        if self.pod.spec.restart_policy != "Never" or is_sidecar(container):
            message += ", will be restarted"
        self.kills.append(Kill(info, "Killing", message, container, self._probe_grace(container, info)))
        return False

    def _probe_grace(self, container: AnyContainer, info: ContainerInfo) -> int | None:
        kind = self.inputs.unhealthy.get(info.id)
        probe = {"liveness": container.liveness_probe, "startup": container.startup_probe}.get(kind or "")
        return probe.termination_grace_period_seconds if probe is not None else None

    def _start(self, container: AnyContainer, kind: ContainerKind, before: ContainerInfo | None) -> None:
        """Start a container now, or record that it is in back-off."""
        attempt = 0 if before is None else before.attempt + 1
        if before is None or before.state != "exited":
            self.starts.append(Start(container, kind, attempt))
            return
        backoff = self.inputs.backoffs.get(container.name, Backoff())
        until = backoff.wait_until(before.finished_at)
        if until > self.inputs.now:
            self.waiting[container.name] = ("CrashLoopBackOff", back_off_message(self.pod, container, backoff))
            self.again_at = min(self.again_at, until) if self.again_at else until
            return
        self.starts.append(Start(container, kind, attempt, backoff.next(self.inputs.now, before.finished_at)))


_UNKNOWN_STATE = "Container {} is in unknown state"


def back_off_message(pod: Pod, container: AnyContainer, backoff: Backoff) -> str:
    """`back-off 10s restarting failed container=web pod=web_default(uid)`"""
    return f"back-off {go_duration(backoff.delay)} restarting failed container={container.name} pod={pod_label(pod)}"
