"""The state machine of probes."""

import msgspec
import pytest

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.probe import Probe
from pybernetes.kubelet.health import Health
from pybernetes.kubelet.probes.state import ProbeKind, ProbeState, first_delay, first_state, health_of, may_run

from .builders import info, pod, state


def test_a_probe_changes_its_finding_at_its_thresholds() -> None:
    probe = ProbeState(kind="liveness", successes_needed=2, failures_needed=3)
    findings = []
    for ok in (True, False, False, True, False, False, False, True, True):
        probe = probe.after(ok)
        findings.append(probe.finding)
    assert findings == [None, None, None, None, None, None, False, False, True]


def test_a_startup_probe_holds_back_the_others_and_ends_when_it_passes() -> None:
    startup = ProbeState(kind="startup", finding=None)
    states = {("c-0", "startup"): startup, ("c-0", "readiness"): ProbeState(kind="readiness", finding=True)}
    assert may_run(("c-0", "startup"), states)
    assert not may_run(("c-0", "readiness"), states)
    assert health_of(state(info()), states) == Health()
    states["c-0", "startup"] = startup.after(True)
    assert states["c-0", "startup"].finished
    assert may_run(("c-0", "readiness"), states)
    assert health_of(state(info()), states) == Health({"c-0"}, {"c-0"})


def test_failed_startup_and_liveness_probes_make_a_container_unhealthy() -> None:
    for kind in ("startup", "liveness"):
        found = health_of(state(info()), {("c-0", kind): ProbeState(kind=kind, finding=False)})
        assert found.unhealthy == {"c-0": kind}
    assert health_of(state(info(state="exited")), {}) == Health()


@pytest.mark.parametrize(
    ("age", "delay"),
    [
        pytest.param(0.0, 30.0, id="initial delay"),
        pytest.param(20.0, 10.0, id="rest of the initial delay"),
        pytest.param(31.0, 0.1, id="just over"),
        pytest.param(99.0, 0.5, id="old container: spread"),
    ],
)
def test_the_first_delay_of_a_probe(age: float, delay: float) -> None:
    assert first_delay(Probe(initial_delay_seconds=30, period_seconds=60 if age < 99 else 10), age, 0.5) == delay


def test_findings_survive_a_restart_of_the_kubelet() -> None:
    found = [{"name": "c", "containerID": "containerd://c-0", "ready": True, "started": True}]
    new = pod()
    known = msgspec.structs.replace(new, status=msgspec.convert({"containerStatuses": found}, type(new.status)))

    def finding(of: Pod, kind: ProbeKind, attempt: int = 0) -> bool | None:
        return first_state(of, info(attempt=attempt), kind, Probe()).finding

    assert finding(known, "readiness")
    assert finding(known, "startup")
    assert finding(known, "liveness") is None
    assert finding(known, "readiness", attempt=1) is None
    assert finding(new, "readiness") is None
