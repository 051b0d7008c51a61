"""Events: one object per occurrence, counted when it repeats; recording never blocks."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.node import Node
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder

from .fake_server import FakeServer, refusal
from .warp import warp

THING = ConfigMap(metadata=ObjectMeta(name="thing", namespace="d", uid="u1"))


def play(scenario: Callable[[FakeServer, EventRecorder], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        server = FakeServer()
        loop = asyncio.get_running_loop()
        recorder = EventRecorder(
            Client(server),
            "tester",
            host="node-1",
            now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=loop.time() - 1000),
        )
        task = asyncio.create_task(recorder.run(), name="events")
        try:
            await scenario(server, recorder)
            assert not task.done()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    warp(run())


def events(server: FakeServer) -> list[dict[str, Any]]:
    return [obj for path, obj in server.objects.items() if "/events/" in path]


def test_fields_of_an_event() -> None:
    async def run(server: FakeServer, recorder: EventRecorder) -> None:
        recorder.event(THING, "Warning", "Broke", "it broke")
        await asyncio.sleep(1)
        (event,) = events(server)
        assert event["metadata"]["namespace"] == "d" and event["metadata"]["name"].startswith("thing.")
        assert event["involvedObject"] | {"kind": "ConfigMap", "name": "thing", "uid": "u1"} == event["involvedObject"]
        assert (event["type"], event["reason"], event["message"], event["count"]) == ("Warning", "Broke", "it broke", 1)
        assert event["source"] == {"component": "tester", "host": "node-1"}
        assert event["firstTimestamp"] == event["lastTimestamp"] == "2026-01-01T00:00:00Z"

    play(run)


def test_a_repeated_event_is_counted() -> None:
    async def run(server: FakeServer, recorder: EventRecorder) -> None:
        for _ in range(5):
            recorder.event(THING, "Warning", "Broke", "it broke")
            await asyncio.sleep(60)
        (event,) = events(server)
        assert event["count"] == 5
        assert (event["firstTimestamp"], event["lastTimestamp"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:04:00Z")
        recorder.event(THING, "Warning", "Broke", "otherwise")
        recorder.event(THING, "Normal", "Broke", "it broke")
        other = ConfigMap(metadata=ObjectMeta(name="thing", namespace="d", uid="u2"))
        recorder.event(other, "Warning", "Broke", "it broke")
        await asyncio.sleep(1)
        assert len(events(server)) == 4

    play(run)


def test_expired_event_is_created_again() -> None:
    async def run(server: FakeServer, recorder: EventRecorder) -> None:
        recorder.event(THING, "Normal", "Did", "done")
        await asyncio.sleep(1)
        server.objects.clear()
        recorder.event(THING, "Normal", "Did", "done")
        await asyncio.sleep(1)
        (event,) = events(server)
        assert event["count"] == 1

    play(run)


def test_failing_server_only_loses_events(caplog: pytest.LogCaptureFixture) -> None:
    async def run(server: FakeServer, recorder: EventRecorder) -> None:
        server.refusals = [refusal(403, "no"), refusal(500, "oops"), refusal(404, "namespace gone")]
        for n in range(4):
            recorder.event(THING, "Normal", "Did", f"done {n}")
        await asyncio.sleep(1)
        assert [event["message"] for event in events(server)] == ["done 3"]
        server.hang = True
        await asyncio.sleep(0)
        for n in range(2000):
            recorder.event(ObjectReference(kind="Pod", namespace="default", name=f"p{n}"), "Normal", "Flood", "x")

    play(run)
    assert caplog.text.count("are dropped") == 1


def test_events_of_one_object_are_rate_limited() -> None:
    async def run(server: FakeServer, recorder: EventRecorder) -> None:
        for n in range(100):
            recorder.event(THING, "Normal", "SuccessfulCreate", f"Created pod: p{n}")
        recorder.event(Node(metadata=ObjectMeta(name="n")), "Normal", "Did", "done")
        await asyncio.sleep(1)
        messages = [event["message"] for event in events(server)]
        assert messages == [*(f"Created pod: p{n}" for n in range(25)), "done"]

    play(run)


@pytest.mark.parametrize(
    ("name", "starts"),
    [("system:node", "system-node."), ("UPPER_case", "upper-case."), ("a" * 253, "a" * 230 + "."), ("-.-", "event.")],
)
def test_any_object_can_have_events(name: str, starts: str) -> None:
    async def run(server: FakeServer, recorder: EventRecorder) -> None:
        recorder.event(ObjectReference(kind="ClusterRole", name=name), "Normal", "Did", "x" * 5000)
        recorder.event(Node(metadata=ObjectMeta(name="n")), "Normal", "Did", "done")
        await asyncio.sleep(1)
        first, second = events(server)
        assert first["metadata"]["name"].startswith(starts) and len(first["metadata"]["name"]) <= 253
        assert len(first["message"]) == 1024
        assert first["metadata"]["namespace"] == second["metadata"]["namespace"] == "default"

    play(run)
