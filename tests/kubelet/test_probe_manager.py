"""When probes run, in virtual time."""

import asyncio
from typing import Any

from client.warp import warp
from pybernetes.kubelet.probes.manager import ProbeManager
from pybernetes.kubelet.runtime import CommandTimedOut, ExecResult, NoSuch
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses

from .builders import info, pod, state
from .harness import Events


def now() -> float:
    return asyncio.get_running_loop().time()


class Scripted(SimulatedRuntime):
    """Keeps the time of each command; `failing` commands fail."""

    def __init__(self) -> None:
        super().__init__(clock=now, address=addresses())
        self.calls: dict[str, list[float]] = {}
        self.failing: set[str] = set()
        self.error: Exception | None = None

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        self.calls.setdefault(command[0], []).append(now())
        if self.error is not None:
            raise self.error
        return ExecResult(1 if command[0] in self.failing else 0, b"output", b"")


def check(command: str, **settings: Any) -> dict[str, Any]:
    return {"exec": {"command": [command]}, "periodSeconds": 10, **settings}


class Node:
    """A manager that probes one container, started now."""

    def __init__(self, **probes: Any) -> None:
        self.runtime, self.events, self.changed = Scripted(), Events(), []  # type: ignore[var-annotated]
        self.manager = ProbeManager(
            self.runtime,
            recorder=self.events,
            clock=now,
            changed=self.changed.append,
            node_ip="127.0.0.1",
            spread=lambda: 0.5,
        )
        self.pod = pod({"containers": [{"name": "c", "image": "b", **probes}]})
        self.start = now()
        self.state = state(info(started_at=self.start))
        self.manager.update(self.pod, self.state)

    def times(self, command: str) -> list[float]:
        """Seconds from the start to each run of a command."""
        return [round(time - self.start, 1) for time in self.runtime.calls.get(command, [])]


def test_initial_delay_and_period() -> None:
    async def scenario() -> None:
        node = Node(readinessProbe=check("ready", initialDelaySeconds=5))
        await asyncio.sleep(26)
        assert node.times("ready") == [5, 15, 25]
        assert node.changed == ["u1"], "only the first result changes the pod's health"
        await node.manager.close()

    warp(scenario())


def test_other_probes_wait_for_the_startup_probe() -> None:
    async def scenario() -> None:
        probes = {"startupProbe": check("start"), "livenessProbe": check("live")}
        node = Node(**probes)
        node.runtime.failing.add("start")
        await asyncio.sleep(15)
        assert not node.manager.health(node.pod, node.state).started
        assert node.times("live") == []
        node.runtime.failing.clear()
        await asyncio.sleep(40)
        assert node.times("start") == [0.1, 10.1, 20.1], "a startup probe ends when it has passed"
        assert node.times("live")[0] in (20.1, 30.1)
        assert node.manager.health(node.pod, node.state).started
        await node.manager.close()

    warp(scenario())


def test_failed_liveness_probe_records_events_and_makes_the_container_unhealthy() -> None:
    async def scenario() -> None:
        node = Node(livenessProbe=check("live", failureThreshold=2))
        node.runtime.failing.add("live")
        await asyncio.sleep(5)
        assert not node.manager.health(node.pod, node.state).unhealthy
        await asyncio.sleep(10)
        assert node.manager.health(node.pod, node.state).unhealthy == {"c-0": "liveness"}
        assert node.events.seen == [("web", "Unhealthy", "Liveness probe failed: output")] * 2
        node.manager.update(node.pod, state(info(state="exited")))
        await asyncio.sleep(30)
        assert len(node.times("live")) == 2, "an exited container is not probed"

    warp(scenario())


def test_errors_of_the_runtime() -> None:
    async def scenario() -> None:
        node = Node(readinessProbe=check("ready", failureThreshold=1))
        node.runtime.error = NoSuch("gone")
        await asyncio.sleep(5)
        assert node.events.seen == [], "a container that is being removed has no result"
        node.runtime.error = CommandTimedOut("command timed out")
        await asyncio.sleep(10)
        assert node.events.seen == [("web", "Unhealthy", "Readiness probe failed: command timed out")]
        assert not node.manager.health(node.pod, node.state).ready
        await node.manager.close()

    warp(scenario())


def test_probes_of_old_containers_are_spread() -> None:
    async def scenario() -> None:
        node = Node(readinessProbe=check("ready"))
        await node.manager.close()
        node.runtime.calls.clear()
        await asyncio.sleep(100)
        node.start = now()
        node.manager.update(node.pod, node.state)
        await asyncio.sleep(11)
        assert node.times("ready") == [0.5, 10.5]
        await node.manager.close()

    warp(scenario())
