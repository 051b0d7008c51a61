"""Phase, conditions and container states."""

from typing import Any

import pytest

from pybernetes.api.core.pod import Pod, PodCondition, PodStatus
from pybernetes.kubelet.container_statuses import Observed
from pybernetes.kubelet.pod_status import Context, make_status
from pybernetes.kubelet.runtime import PodState
from pybernetes.kubelet.types import rfc3339

from .builders import NOW, info, pod, sandbox, state

NEVER, ON_FAILURE = {"restartPolicy": "Never"}, {"restartPolicy": "OnFailure"}
ALL = frozenset(("c-0", "c-1", "side-0", "i1-0"))


def status(of: Pod, at: PodState, previous: PodStatus | None = None, **observed: Any) -> PodStatus:
    context = Context(now=NOW, host_ips=("192.0.2.1",), observed=Observed(**{"started": ALL, "ready": ALL, **observed}))
    return make_status(of, previous or PodStatus(), at, context)


def conditions(of: PodStatus) -> dict[str, str]:
    return {c.type: c.status for c in of.conditions}


@pytest.mark.parametrize(
    ("spec", "at", "phase"),
    [
        ({}, PodState(), "Pending"),
        ({}, state(), "Pending"),
        ({}, state(info()), "Running"),
        ({}, state(info(state="exited", exit_code=1)), "Running"),
        (NEVER, state(info(state="exited", exit_code=1)), "Failed"),
        (NEVER, state(info(state="exited")), "Succeeded"),
        (ON_FAILURE, state(info(state="exited", exit_code=1)), "Running"),
        (ON_FAILURE, state(info(state="exited")), "Succeeded"),
        ({"initContainers": [{"name": "i1", "image": "b"}]}, state(info("i1")), "Pending"),
        (
            {"initContainers": [{"name": "i1", "image": "b"}], **NEVER},
            state(info("i1", "exited", exit_code=1)),
            "Failed",
        ),
        (
            {"initContainers": [{"name": "side", "image": "b", "restartPolicy": "Always"}]},
            state(info(), info("side")),
            "Running",
        ),
    ],
)
def test_phase(spec: dict[str, Any], at: PodState, phase: str) -> None:
    assert status(pod(spec), at).phase == phase


def test_running_pod() -> None:
    found = status(pod(), state(info()))
    assert conditions(found) == {
        "PodReadyToStartContainers": "True",
        "Initialized": "True",
        "Ready": "True",
        "ContainersReady": "True",
        "PodScheduled": "True",
    }
    assert (found.pod_ip, found.host_ip, found.start_time) == ("10.0.0.5", "192.0.2.1", rfc3339(NOW))
    container = found.container_statuses[0]
    assert container.container_id == "containerd://c-0"
    assert container.ready
    assert container.started
    assert container.state.running is not None


def test_unready_container_is_named() -> None:
    found = status(pod(), state(info()), ready=frozenset())
    ready = next(c for c in found.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "ContainersNotReady")
    assert ready.message == "containers with unready status: [c]"


def test_transition_times_stay_while_nothing_changes() -> None:
    old = PodStatus(conditions=[PodCondition(type="Ready", status="True", last_transition_time="2020-01-01T00:00:00Z")])
    found = {c.type: c.last_transition_time for c in status(pod(), state(info()), old).conditions}
    assert found["Ready"] == "2020-01-01T00:00:00Z"
    assert found["Initialized"] == rfc3339(NOW)


def test_readiness_gates_and_conditions_of_other_components() -> None:
    gated = pod({"readinessGates": [{"conditionType": "x/y"}]})
    found = status(gated, state(info()))
    ready = next(c for c in found.conditions if c.type == "Ready")
    assert ready.reason == "ReadinessGatesNotReady"
    given = PodStatus(conditions=[PodCondition(type="x/y", status="True")])
    assert conditions(status(gated, state(info()), given))["Ready"] == "True"
    assert conditions(status(gated, state(info()), given))["x/y"] == "True"


def test_crash_loop_shows_the_last_termination() -> None:
    waiting = {"c": ("CrashLoopBackOff", "back-off 10s")}
    found = status(pod(), state(info(state="exited", exit_code=7, attempt=1)), waiting=waiting).container_statuses[0]
    assert found.state.waiting is not None
    assert found.state.waiting.reason == "CrashLoopBackOff"
    assert found.last_state.terminated is not None
    assert found.last_state.terminated.exit_code == 7
    assert found.restart_count == 1


def test_last_state_is_the_previous_run() -> None:
    at = state(info(attempt=1), info(state="exited", exit_code=9))
    found = status(pod(), at).container_statuses[0]
    assert found.state.running is not None
    assert found.last_state.terminated is not None
    assert found.last_state.terminated.exit_code == 9


@pytest.mark.parametrize(
    ("spec", "reason"),
    [({}, "ContainerCreating"), ({"initContainers": [{"name": "i1", "image": "b"}]}, "PodInitializing")],
)
def test_waiting_reasons(spec: dict[str, Any], reason: str) -> None:
    found = status(pod(spec), state()).container_statuses[0]
    assert found.state.waiting is not None
    assert found.state.waiting.reason == reason


def test_terminated_pod_keeps_its_address_and_phase() -> None:
    before = status(pod(NEVER), state(info()))
    after = status(pod(NEVER), state(info(state="exited"), box=sandbox(ready=False, ips=())), before, final=True)
    assert (after.phase, after.pod_ip) == ("Succeeded", "10.0.0.5")
    assert conditions(after)["Ready"] == "False"
    again = status(pod(NEVER), PodState(), after, final=True)
    assert again.phase == "Succeeded"
    assert again.container_statuses == after.container_statuses


def test_container_that_disappeared_while_running() -> None:
    before = status(pod(), state(info()))
    found = status(pod(), PodState(), before, final=True).container_statuses[0]
    assert found.state.terminated is not None
    assert (found.state.terminated.reason, found.state.terminated.exit_code) == ("ContainerStatusUnknown", 137)


def test_status_is_stable() -> None:
    first = status(pod(), state(info()))
    assert status(pod(), state(info()), first) == first
