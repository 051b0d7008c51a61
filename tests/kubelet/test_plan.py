"""The next actions for a pod, as a table of situations."""

from typing import Any

import pytest

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.crash_loop import Backoff, go_duration
from pybernetes.kubelet.garbage import garbage
from pybernetes.kubelet.names import CONTAINER_HASH
from pybernetes.kubelet.plan import Inputs, Plan, make_plan
from pybernetes.kubelet.runtime import PodState

from .builders import NOW, info, pod, sandbox, state

INITS = {
    "initContainers": [
        {"name": "i1", "image": "b"},
        {"name": "side", "image": "b", "restartPolicy": "Always"},
        {"name": "i2", "image": "b"},
    ]
}


def describe(plan: Plan) -> str:
    """A plan in one line."""
    parts = [f"kill {k.info.name}" for k in plan.kills]
    parts += [f"remove {i.name}" for i in plan.remove]
    if plan.stop_sandbox:
        parts.append("stop")
    if plan.create_sandbox is not None:
        parts.append(f"sandbox {plan.create_sandbox}")
    parts += [f"start {s.container.name} {s.attempt}" for s in plan.starts]
    parts += [f"wait {name} {reason}" for name, (reason, _) in plan.waiting.items()]
    return ", ".join(parts)


def plan(of: Pod, at: PodState, **inputs: Any) -> str:
    return describe(make_plan(of, at, Inputs(NOW, **inputs)))


def exited(name: str = "c", code: int = 0, **changes: Any) -> Any:
    return info(name, "exited", exit_code=code, **changes)


NEVER, ON_FAILURE = {"restartPolicy": "Never"}, {"restartPolicy": "OnFailure"}


@pytest.mark.parametrize(
    ("spec", "at", "expected"),
    [
        pytest.param({}, PodState(), "sandbox 0", id="new pod"),
        pytest.param({}, state(), "start c 0", id="sandbox is there"),
        pytest.param({}, state(info()), "", id="all runs"),
        pytest.param({}, state(info(state="created")), "remove c", id="made, never started"),
        pytest.param({}, state(info(state="unknown")), "kill c", id="unknown state"),
        pytest.param({}, state(exited(code=1)), "start c 1", id="first crash starts at once"),
        pytest.param({}, state(exited(code=0)), "start c 1", id="Always restarts after success"),
        pytest.param(NEVER, state(exited(code=1)), "stop", id="Never does not"),
        pytest.param(ON_FAILURE, state(exited(code=0)), "stop", id="OnFailure and success: done"),
        pytest.param(ON_FAILURE, state(exited(code=3)), "start c 1", id="OnFailure and failure"),
        pytest.param(NEVER, state(exited(), box=sandbox(ready=False)), "", id="done pod gets no sandbox"),
        pytest.param({}, state(exited(), box=sandbox(ready=False)), "sandbox 1", id="sandbox died"),
        pytest.param({}, state(info(), box=sandbox(ready=False)), "stop, sandbox 1", id="sandbox died, container runs"),
        pytest.param(
            {}, PodState((sandbox(id="s2", attempt=1), sandbox()), ()), "stop, sandbox 2", id="two ready sandboxes"
        ),
        pytest.param(
            {}, state(info(annotations={CONTAINER_HASH: "old"})), "kill c", id="image changed under a running one"
        ),
    ],
)
def test_regular(spec: dict[str, Any], at: PodState, expected: str) -> None:
    assert plan(pod(spec), at) == expected


@pytest.mark.parametrize(
    ("at", "expected", "started"),
    [
        pytest.param(state(), "start i1 0", "", id="first one first"),
        pytest.param(state(info("i1")), "", "", id="it runs"),
        pytest.param(state(exited("i1", 1)), "start i1 1", "", id="it failed"),
        pytest.param(state(exited("i1")), "start side 0", "", id="sidecar next"),
        pytest.param(state(info("side"), exited("i1")), "", "", id="sidecar has not started yet"),
        pytest.param(state(info("side"), exited("i1")), "start i2 0", "side-0", id="sidecar started"),
        pytest.param(state(exited("i2"), info("side"), exited("i1")), "start c 0", "side-0", id="all initialised"),
        pytest.param(
            state(info("c"), exited("i2"), exited("side", 1), exited("i1")), "start side 1", "", id="sidecar restarts"
        ),
        pytest.param(state(info("c"), exited("i2"), info("side")), "", "side-0", id="old init container was collected"),
    ],
)
def test_init(at: PodState, expected: str, started: str) -> None:
    assert plan(pod(INITS), at, started=frozenset([started])) == expected


def test_failed_init_container_stops_a_pod_that_never_restarts() -> None:
    assert plan(pod({**INITS, **NEVER}), state(exited("i1", 1))) == "stop"


def test_sidecars_do_not_outlive_the_regular_containers() -> None:
    at = state(exited("c"), info("side"), exited("i2"), exited("i1"))
    assert plan(pod({**INITS, **NEVER}), at, started=frozenset(["side-0"])) == "stop"


def test_crash_loop_gives_the_time_of_the_next_attempt() -> None:
    found = make_plan(pod(), state(exited(code=1)), Inputs(NOW, {"c": Backoff(20.0, NOW - 5)}))
    assert describe(found) == "wait c CrashLoopBackOff"
    assert found.again_at == NOW - 1 + 20
    assert found.waiting["c"][1] == "back-off 20s restarting failed container=c pod=web_default(u1)"


def test_back_off_doubles_and_resets() -> None:
    backoff, delays, now = Backoff(), [], NOW
    for _ in range(7):
        backoff = backoff.next(now, now)
        delays.append(backoff.delay)
        now += backoff.delay
    assert delays == [10, 20, 40, 80, 160, 300, 300]
    assert backoff.next(now + 700, now + 700).delay == 10
    assert backoff.wait_until(now + 700) == 0.0


def test_unhealthy_container_gets_the_grace_period_of_its_probe() -> None:
    spec = {"containers": [{"name": "c", "image": "b", "livenessProbe": {"terminationGracePeriodSeconds": 7}}]}
    found = make_plan(pod(spec), state(info()), Inputs(NOW, unhealthy={"c-0": "liveness"}))
    assert found.kills[0].message == "Container c failed liveness probe, will be restarted"
    assert found.kills[0].grace_override == 7


@pytest.mark.parametrize(
    ("seconds", "text"), [(10, "10s"), (80, "1m20s"), (300, "5m0s"), (3600, "1h0m0s"), (0.5, "0s")]
)
def test_durations_in_gos_notation(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


def test_garbage() -> None:
    runs = [info(attempt=3), *(exited(attempt=n, sandbox_id="s1" if n else "s0") for n in (2, 1, 0))]
    at = PodState((sandbox(), sandbox(id="s0", ready=False)), (*runs, exited("i1", sandbox_id="s0")))
    containers, sandboxes = garbage(at)
    assert [c.attempt for c in containers] == [1, 0]
    assert sandboxes == [], "its init container's log may still be asked for"
    assert [s.id for s in garbage(PodState(at.sandboxes, tuple(runs)))[1]] == ["s0"]
