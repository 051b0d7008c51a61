"""Leader election: at most one process leads; a leader that can't renew stops before the next one can start."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.client.client import Client
from pybernetes.client.leader import LeaderConfig, LeaderElector, LeadershipLost

from .fake_server import FakeServer, refusal
from .warp import warp

LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/job"


class Candidate:
    """A process that takes part in the election."""

    def __init__(self, server: FakeServer, name: str, leaders: list[str]) -> None:
        config = LeaderConfig(name="job", identity=name)
        self.elector = LeaderElector(Client(server), config, now=self._now)
        self.name = name
        self.leaders = leaders
        self.task: asyncio.Task[None] = asyncio.create_task(self.elector.run(self._work), name=name)

    def _now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=asyncio.get_running_loop().time())

    async def _work(self) -> None:
        assert not self.leaders, f"{self.name} leads at the same time as {self.leaders}"
        self.leaders.append(self.name)
        try:
            await asyncio.Event().wait()
        finally:
            self.leaders.remove(self.name)

    async def stop(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def play(scenario: Callable[[FakeServer, list[str]], Coroutine[Any, Any, None]]) -> None:
    warp(scenario(FakeServer(), []))


def test_the_first_leads_and_the_second_waits() -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        a = Candidate(server, "a", leaders)
        await asyncio.sleep(1)
        b = Candidate(server, "b", leaders)
        await asyncio.sleep(3600)
        assert leaders == ["a"]
        spec = server.objects[LEASE]["spec"]
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == ("a", 15, 0)
        await a.stop()
        await asyncio.sleep(2.5)
        assert leaders == ["b"], "a released lease is taken at the next try"
        assert server.objects[LEASE]["spec"]["leaseTransitions"] == 1
        await b.stop()
        assert server.objects[LEASE]["spec"].get("holderIdentity", "") == ""

    play(run)


def test_dead_leader_is_replaced_when_its_lease_expires() -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        server.put(LEASE, {"spec": {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "x"}})
        b = Candidate(server, "b", leaders)
        await asyncio.sleep(14.5)
        assert leaders == []
        await asyncio.sleep(3)
        assert leaders == ["b"]
        await b.stop()

    play(run)


@pytest.mark.parametrize("fault", ["down", "hang"])
def test_leader_without_a_server_stops_before_its_lease_expires(fault: str) -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        a = Candidate(server, "a", leaders)
        await asyncio.sleep(5)
        assert leaders == ["a"]
        start = asyncio.get_running_loop().time()
        setattr(server, fault, True)
        with pytest.raises(LeadershipLost, match="not renewed for 10 s"):
            await a.task
        assert leaders == []
        # The last renewal was at most 2 s before; 10 s after it the work stops, and to release takes up to 2 s more.
        assert asyncio.get_running_loop().time() - start < 11.5

    play(run)


def test_a_leader_that_was_replaced_stops_at_once() -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        a = Candidate(server, "a", leaders)
        await asyncio.sleep(5)
        lease = server.objects[LEASE]
        server.put(LEASE, {**lease, "spec": {**lease["spec"], "holderIdentity": "thief"}})
        with pytest.raises(LeadershipLost, match="taken over by thief"):
            async with asyncio.timeout(3):
                await a.task
        assert server.objects[LEASE]["spec"]["holderIdentity"] == "thief", "the lease of another holder is not released"

    play(run)


def test_short_outage_does_not_lose_the_lease() -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        a = Candidate(server, "a", leaders)
        await asyncio.sleep(5)
        server.refusals = [refusal(500, "oops"), refusal(429, "busy"), refusal(409, "conflict")]
        await asyncio.sleep(60)
        assert leaders == ["a"]
        await a.stop()

    play(run)


def test_short_outage_right_after_a_takeover_does_not_lose_the_lease() -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        server.put(LEASE, {"spec": {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "x"}})
        b = Candidate(server, "b", leaders)
        while not leaders:
            await asyncio.sleep(0.1)
        server.refusals = [refusal(500, "oops")]
        await asyncio.sleep(60)
        assert leaders == ["b"]
        await b.stop()

    play(run)


def test_run_ends_with_the_work() -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        async def short() -> None:
            await asyncio.sleep(1)

        async def broken() -> None:
            raise ValueError("work failed")

        elector = LeaderElector(Client(server), LeaderConfig(name="job", identity="a"))
        await elector.run(short)
        assert not server.objects[LEASE]["spec"].get("holderIdentity")
        with pytest.raises(ValueError, match="work failed"):
            await elector.run(broken)
        assert not server.objects[LEASE]["spec"].get("holderIdentity")

    play(run)


def test_problem_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def run(server: FakeServer, leaders: list[str]) -> None:
        server.refusals = [refusal(403, "leases is forbidden")] * 100
        a = Candidate(server, "a", leaders)
        await asyncio.sleep(60)
        await a.stop()

    play(run)
    assert caplog.text.count("lease kube-system/job: leases is forbidden") == 1


@pytest.mark.parametrize(
    ("durations", "says"),
    [({"lease_duration": 5}, "longer"), ({"retry_period": 20}, "longer"), ({"identity": ""}, "identity is empty")],
)
def test_contradictory_durations_are_refused(durations: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        LeaderConfig(**{"name": "job", "identity": "a", **durations})


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["down", "up", "hang", "unhang", "a", "b"]), st.integers(0, 30)), max_size=20)
)
def test_never_two_leaders_and_finally_one(steps: list[tuple[str, int]]) -> None:
    """Candidates that lost or were stopped start again; the server comes and goes. (`Candidate` checks for two.)"""

    async def run(server: FakeServer, leaders: list[str]) -> None:
        candidates = {name: Candidate(server, name, leaders) for name in "ab"}

        def revive() -> None:
            for name, candidate in candidates.items():
                if candidate.task.done():
                    error = None if candidate.task.cancelled() else candidate.task.exception()
                    assert error is None or isinstance(error, LeadershipLost), error
                    candidates[name] = Candidate(server, name, leaders)

        for step, wait in steps:
            match step:
                case "down" | "up":
                    server.down = step == "down"
                case "hang" | "unhang":
                    server.hang = step == "hang"
                case _:
                    await candidates[step].stop()
            await asyncio.sleep(wait)
            revive()
        server.down = server.hang = False
        for _ in range(10):
            await asyncio.sleep(10)
            revive()
        assert len(leaders) == 1
        for candidate in candidates.values():
            await candidate.stop()

    play(run)
