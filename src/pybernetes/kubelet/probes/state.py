"""The state machine of probes: from results to findings, and from findings to the health of a pod. Pure.

    result, result, ... --thresholds--> finding: None (not known yet), True (passed) or False (failed)

Liveness and readiness probes begin once the startup probe has passed, or immediately if there is none. A startup probe
ends when it has passed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.probe import Probe
from pybernetes.kubelet.health import Health
from pybernetes.kubelet.podspec import AnyContainer
from pybernetes.kubelet.runtime import ContainerInfo, PodState

ProbeKind = Literal["startup", "liveness", "readiness"]
KINDS: tuple[ProbeKind, ...] = ("startup", "liveness", "readiness")
ProbeKey = tuple[str, ProbeKind]
"""(container id, kind)"""

_DEFAULT_PERIOD = 10
_MAX_SPREAD = 1.0
_SETTLE = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeState:
    """The state of one probe of one container."""

    kind: ProbeKind
    successes_needed: int = 1
    failures_needed: int = 3
    finding: bool | None = None
    """None until a threshold has been reached."""
    last: bool | None = None
    """The most recent result."""
    run_length: int = 0
    """How many times in a row the most recent result has occurred."""

    def after(self, ok: bool) -> "ProbeState":
        """The state after another result."""
        length = self.run_length + 1 if ok == self.last else 1
        reached = length >= (self.successes_needed if ok else self.failures_needed)
        return replace(self, finding=ok if reached else self.finding, last=ok, run_length=length)

    @property
    def finished(self) -> bool:
        """Whether no further checks are needed: a startup probe has passed."""
        return self.kind == "startup" and bool(self.finding)


def probe_of(container: AnyContainer, kind: ProbeKind) -> Probe | None:
    """A container's probe of this kind."""
    return {
        "startup": container.startup_probe,
        "liveness": container.liveness_probe,
        "readiness": container.readiness_probe,
    }[kind]


def first_state(pod: Pod, info: ContainerInfo, kind: ProbeKind, probe: Probe) -> ProbeState:
    """The initial state.

    After a restart of the kubelet, the findings in the pod's status hold until there are new results, so that ready
    pods stay ready.
    """
    passed: bool | None = None
    for status in [*pod.status.init_container_statuses, *pod.status.container_statuses]:
        if status.container_id.endswith(f"://{info.id}"):
            found = {"startup": bool(status.started), "liveness": False, "readiness": status.ready}[kind]
            passed = True if found else None
    return ProbeState(
        kind=kind,
        successes_needed=probe.success_threshold or 1,
        failures_needed=probe.failure_threshold or 3,
        finding=passed,
    )


def period(probe: Probe) -> float:
    """Seconds between two checks."""
    return float(probe.period_seconds or _DEFAULT_PERIOD)


def first_delay(probe: Probe, age: float, spread: float) -> float:
    """Seconds until the first check of a container that has run for `age` seconds. `spread` is 0 to 1.

    After a restart of the kubelet, the probes of running containers are spread out over time.
    """
    rest = float(probe.initial_delay_seconds or 0) - age
    if rest > 0:
        return rest
    if age > period(probe):
        return spread * min(period(probe), _MAX_SPREAD)
    # A process that has just started needs a moment to open its port.
    return min(_SETTLE, period(probe))


def may_run(key: ProbeKey, states: Mapping[ProbeKey, ProbeState]) -> bool:
    """Whether a probe may run: the others wait until the startup probe has passed."""
    startup = states.get((key[0], "startup"))
    return key[1] == "startup" or startup is None or bool(startup.finding)


def health_of(state: PodState, states: Mapping[ProbeKey, ProbeState]) -> Health:
    """The health of a pod's containers. A running container without probes is started and ready."""
    started: set[str] = set()
    ready: set[str] = set()
    unhealthy: dict[str, str] = {}
    for info in state.containers:
        if info.state != "running":
            continue
        startup, liveness, readiness = (states.get((info.id, kind)) for kind in KINDS)
        if startup is None or startup.finding:
            started.add(info.id)
            if readiness is None or readiness.finding:
                ready.add(info.id)
        elif startup.finding is False:
            unhealthy[info.id] = "startup"
        if liveness is not None and liveness.finding is False:
            unhealthy[info.id] = "liveness"
    return Health(started, ready, unhealthy)
