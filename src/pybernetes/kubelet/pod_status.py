"""Computes a pod's status (phase, conditions, addresses) from its spec and its state in the runtime. Pure."""

from dataclasses import dataclass, field

import msgspec

from pybernetes.api.core.container_status import ContainerStatus
from pybernetes.api.core.pod import HostIP, Pod, PodCondition, PodIP, PodStatus
from pybernetes.kubelet.container_statuses import Observed, container_statuses
from pybernetes.kubelet.podspec import is_sidecar, qos_class
from pybernetes.kubelet.runtime import PodState
from pybernetes.kubelet.types import rfc3339

OWN_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the status depends on in addition to the pod and the runtime's state."""

    now: float
    host_ips: tuple[str, ...]
    observed: Observed = field(default_factory=Observed)
    failure: tuple[str, str] | None = None
    """(reason, message) if the pod itself has failed, for example DeadlineExceeded."""


def make_status(pod: Pod, previous: PodStatus, state: PodState, context: Context) -> PodStatus:
    """The status to report. `previous` provides transition times and the conditions that other components set."""
    spec, observed = pod.spec, context.observed
    inits = container_statuses(pod, list(spec.init_containers), previous.init_container_statuses, state, observed)
    regular = container_statuses(pod, list(spec.containers), previous.container_statuses, state, observed)
    ephemeral = container_statuses(
        pod, list(spec.ephemeral_containers), previous.ephemeral_container_statuses, state, observed
    )
    phase = "Failed" if context.failure is not None else pod_phase(pod, inits, regular)
    if previous.phase in ("Failed", "Succeeded"):
        phase = previous.phase
    if observed.final and phase not in ("Failed", "Succeeded"):
        phase = _final_phase(regular)
    ips = _addresses(pod, previous, state, context)
    reason, message = context.failure or (previous.reason, previous.message)
    status = PodStatus(
        phase=phase,
        reason=reason,
        message=message,
        host_ip=context.host_ips[0],
        host_ips=[HostIP(ip=ip) for ip in context.host_ips],
        pod_ip=ips[0] if ips else "",
        pod_ips=[PodIP(ip=ip) for ip in ips],
        start_time=previous.start_time or rfc3339(context.now),
        qos_class=previous.qos_class or qos_class(pod),
        init_container_statuses=inits,
        container_statuses=regular,
        ephemeral_container_statuses=ephemeral,
        nominated_node_name=previous.nominated_node_name,
        observed_generation=previous.observed_generation,
    )
    sandbox = state.sandbox
    has_network = sandbox is not None and sandbox.ready and (spec.host_network or bool(sandbox.ips))
    status.conditions = _conditions(pod, previous, status, has_network, context.now)
    return status


def pod_phase(pod: Pod, inits: list[ContainerStatus], regular: list[ContainerStatus]) -> str:
    """Pending, Running, Succeeded or Failed."""
    pending_init = failed_init = False
    for container, status in zip(pod.spec.init_containers, inits, strict=True):
        ended = status.state.terminated or (status.last_state.terminated if status.state.waiting else None)
        if is_sidecar(container):
            pending_init = pending_init or (status.state.waiting is not None and ended is None)
        elif status.state.terminated is None:
            pending_init = True
        elif status.state.terminated.exit_code != 0:
            failed_init = True
    if failed_init and pod.spec.restart_policy == "Never":
        return "Failed"
    started = any(s.state.running or s.state.terminated or s.last_state.terminated for s in regular)
    if (pending_init or failed_init) and not started:
        return "Pending"
    return _regular_phase(pod, regular)


def _regular_phase(pod: Pod, regular: list[ContainerStatus]) -> str:
    running = waiting = stopped = succeeded = 0
    for status in regular:
        if status.state.running is not None:
            running += 1
        elif status.state.terminated is not None:
            stopped += 1
            succeeded += status.state.terminated.exit_code == 0
        elif status.last_state.terminated is not None:
            stopped += 1
        else:
            waiting += 1
    if waiting:
        return "Pending"
    if running:
        return "Running"
    if not stopped:
        return "Pending"
    if pod.spec.restart_policy == "Always":
        return "Running"
    if stopped == succeeded:
        return "Succeeded"
    return "Failed" if pod.spec.restart_policy == "Never" else "Running"


def _final_phase(regular: list[ContainerStatus]) -> str:
    """The phase of a pod that was terminated: Succeeded only if every container exited with 0."""
    ended = [s.state.terminated for s in regular]
    return "Succeeded" if ended and all(t is not None and t.exit_code == 0 for t in ended) else "Failed"


def _addresses(pod: Pod, previous: PodStatus, state: PodState, context: Context) -> tuple[str, ...]:
    if pod.spec.host_network:
        return context.host_ips
    ready = next((s for s in state.sandboxes if s.ready and s.ips), None)
    if ready is not None:
        return ready.ips
    # A terminated pod keeps its addresses in the status.
    return tuple(ip.ip for ip in previous.pod_ips)


def _conditions(pod: Pod, previous: PodStatus, status: PodStatus, has_network: bool, now: float) -> list[PodCondition]:
    containers = _containers_ready(pod, status)
    found = [
        PodCondition(type="PodReadyToStartContainers", status="True" if has_network else "False"),
        _initialized(pod, status),
        _ready(pod, previous, containers),
        containers,
        PodCondition(type="PodScheduled", status="True"),
    ]
    before = {c.type: c for c in previous.conditions}
    time = rfc3339(now)
    for condition in found:
        old = before.get(condition.type)
        same = old is not None and old.status == condition.status and old.last_transition_time
        condition.last_transition_time = old.last_transition_time if same and old is not None else time
    return found + [c for c in previous.conditions if c.type not in OWN_CONDITIONS]


def _initialized(pod: Pod, status: PodStatus) -> PodCondition:
    if status.phase == "Succeeded":
        return PodCondition(type="Initialized", status="True", reason="PodCompleted")
    incomplete = [
        s.name
        for c, s in zip(pod.spec.init_containers, status.init_container_statuses, strict=True)
        if not (s.started if is_sidecar(c) else s.ready)
    ]
    regular_began = any(s.container_id for s in status.container_statuses)
    if not incomplete or regular_began:
        return PodCondition(type="Initialized", status="True")
    message = f"containers with incomplete status: [{' '.join(incomplete)}]"
    return PodCondition(type="Initialized", status="False", reason="ContainersNotInitialized", message=message)


def _containers_ready(pod: Pod, status: PodStatus) -> PodCondition:
    kind = "ContainersReady"
    if status.phase == "Succeeded":
        return PodCondition(type=kind, status="False", reason="PodCompleted")
    if status.phase == "Failed":
        return PodCondition(type=kind, status="False", reason="PodFailed")
    sidecars = [
        s for c, s in zip(pod.spec.init_containers, status.init_container_statuses, strict=True) if is_sidecar(c)
    ]
    unready = [s.name for s in [*sidecars, *status.container_statuses] if not s.ready]
    if not unready:
        return PodCondition(type=kind, status="True")
    message = f"containers with unready status: [{' '.join(unready)}]"
    return PodCondition(type=kind, status="False", reason="ContainersNotReady", message=message)


def _ready(pod: Pod, previous: PodStatus, containers: PodCondition) -> PodCondition:
    if containers.status != "True":
        return msgspec.structs.replace(containers, type="Ready")
    states = {c.type: c.status for c in previous.conditions}
    messages = []
    for gate in pod.spec.readiness_gates:
        if gate.condition_type not in states:
            messages.append(f'corresponding condition of pod readiness gate "{gate.condition_type}" does not exist.')
        elif states[gate.condition_type] != "True":
            text = f'the status of pod readiness gate "{gate.condition_type}" is not "True"'
            messages.append(f"{text}, but {states[gate.condition_type]}")
    if messages:
        return PodCondition(type="Ready", status="False", reason="ReadinessGatesNotReady", message=", ".join(messages))
    return PodCondition(type="Ready", status="True")
