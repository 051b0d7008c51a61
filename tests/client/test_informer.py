"""The informer against a faulty server: no change is missed or repeated, and retries back off."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.informer import Cache, Informer, Informers, key_of, split_key

from .fake_server import FakeServer, refusal
from .warp import warp

BASE = "/api/v1/namespaces/d/configmaps"
Seen = list[tuple[str, str]]
Scenario = Callable[[FakeServer, Informer[ConfigMap], Seen], Awaitable[None]]


@asynccontextmanager
async def running(server: FakeServer) -> AsyncIterator[tuple[Informer[ConfigMap], Seen]]:
    informer = Informer(Client(server).of(ConfigMap), namespace="d")
    seen: Seen = []

    def note(old: ConfigMap | None, new: ConfigMap | None) -> None:
        what = "+" if old is None else "-" if new is None else "~"
        obj = new or old
        assert obj is not None
        seen.append((what, obj.metadata.name))

    informer.add_handler(note)
    task = asyncio.create_task(informer.run(), name="informer")
    try:
        yield informer, seen
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def scenario(play: Scenario, *before: str) -> None:
    """Run a play with a server that has some objects and an informer that has synced."""

    async def run() -> None:
        server = FakeServer()
        for name in before:
            server.put(f"{BASE}/{name}")
        async with running(server) as (informer, seen):
            await informer.synced()
            await asyncio.sleep(0.01)
            assert seen == [("+", name) for name in before]
            seen.clear()
            await play(server, informer, seen)

    warp(run())


def test_changes_arrive_in_order() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        server.put(f"{BASE}/b")
        server.put(f"{BASE}/a")
        server.remove(f"{BASE}/b")
        await asyncio.sleep(0.01)
        assert seen == [("+", "b"), ("~", "a"), ("-", "b")]
        assert informer.cache.keys() == ["d/a"]
        assert informer.revision == server.revision

    scenario(play, "a")


def test_a_dropped_watch_resumes_without_a_list() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        server.requests.clear()
        server.drop()
        server.put(f"{BASE}/b")
        await asyncio.sleep(1)
        assert seen == [("+", "b")]
        assert {verb for _, verb, _ in server.requests} == {"WATCH"}

    scenario(play, "a")


def test_deletions_during_a_compaction_are_reported() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        server.down = True
        server.drop()
        server.remove(f"{BASE}/a")
        server.put(f"{BASE}/b")
        server.compact()
        await asyncio.sleep(10)
        server.down = False
        await asyncio.sleep(10)
        assert sorted(seen) == [("+", "b"), ("-", "a")]
        assert informer.cache.keys() == ["d/b"]

    scenario(play, "a")


def test_recreated_object_is_two_changes() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        server.down = True
        server.drop()
        server.remove(f"{BASE}/a")
        server.put(f"{BASE}/a")
        server.compact()
        await asyncio.sleep(1)
        server.down = False
        await asyncio.sleep(10)
        assert seen == [("-", "a"), ("+", "a")]

    scenario(play, "a")


def test_server_with_another_store_is_listed_again() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        for _ in range(10):
            server.put(f"{BASE}/a")
        await asyncio.sleep(1)
        seen.clear()
        server.restart_empty()
        server.put(f"{BASE}/b")
        await asyncio.sleep(10)
        assert sorted(seen) == [("+", "b"), ("-", "a")]

    scenario(play, "a")


@pytest.mark.parametrize("line", [b"<html>", b"{}", b'{"type":"ADDED","object":{"metadata":5}}', b"\xff\xfe", b"null"])
def test_garbage_in_a_watch_loses_no_other_change(line: bytes) -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        server.garbage = [line]
        server.put(f"{BASE}/b")
        server.put(f"{BASE}/c")
        await asyncio.sleep(10)
        assert seen == [("+", "b"), ("+", "c")]

    scenario(play, "a")


def test_retries_of_a_dead_server_back_off() -> None:
    async def run() -> None:
        server = FakeServer()
        server.down = True
        async with running(server) as (informer, _):
            await asyncio.sleep(60)
            assert not informer.has_synced
            times = [at for at, _, _ in server.requests]
            assert 10 <= len(times) <= 25
            gaps = [b - a for a, b in pairwise(times)]
            assert gaps[0] < 0.1
            assert max(gaps) <= 5.01, "a server that came back is noticed within seconds"
            server.down = False
            await asyncio.sleep(5.1)
            assert informer.has_synced

    warp(run())


@pytest.mark.parametrize("fault", ["ends at once", "always gone"])
def test_no_fault_causes_a_busy_loop(fault: str) -> None:
    class Broken(FakeServer):
        async def stream(self, request):  # type: ignore[no-untyped-def]
            await self._enter(request, "WATCH")
            if fault == "always gone":
                yield [self._line("ERROR", {"code": 410, "reason": "Expired"})]

    async def run() -> None:
        server = Broken()
        async with running(server) as (_, _):
            await asyncio.sleep(60)
            assert len(server.requests) < 60

    warp(run())


def test_retry_after_of_a_list() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        server.refusals = [refusal(429, "busy", retryAfterSeconds=30)]
        server.requests.clear()
        server.drop()
        await asyncio.sleep(29)
        assert len(server.requests) == 1
        server.put(f"{BASE}/b")
        await asyncio.sleep(2)
        assert seen == [("+", "b")]

    scenario(play, "a")


def test_retry_after_during_a_watch() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        busy = b'{"type":"ERROR","object":{"code":429,"details":{"retryAfterSeconds":30}}}'
        server.garbage = [busy]
        server.requests.clear()
        server.put(f"{BASE}/b")
        server.put(f"{BASE}/c")
        await asyncio.sleep(29)
        assert len(server.requests) == 0 and seen == [("+", "b")]
        await asyncio.sleep(2)
        assert len(server.requests) == 1 and seen == [("+", "b"), ("+", "c")]

    scenario(play, "a")


def test_failing_handler_is_logged_and_does_not_affect_others(caplog: pytest.LogCaptureFixture) -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        def broken(old: ConfigMap | None, new: ConfigMap | None) -> None:
            raise KeyError("surprise")

        informer.add_handler(broken)
        late: Seen = []
        informer.add_handler(lambda old, new: late.append(("", key_of(new or old))))  # type: ignore[arg-type]
        server.put(f"{BASE}/b")
        await asyncio.sleep(1)
        assert seen == [("+", "b")]
        assert late == [("", "d/a"), ("", "d/b")]

    with pytest.raises(KeyError):  # at the moment of adding, it is the caller's own
        scenario(play, "a")

    async def from_the_start() -> None:
        server = FakeServer()
        async with running(server) as (informer, seen):
            await informer.synced()
            informer._handlers.insert(0, lambda old, new: 1 / 0)  # type: ignore[arg-type, return-value]
            server.put(f"{BASE}/b")
            await asyncio.sleep(1)
            assert seen == [("+", "b")]

    warp(from_the_start())
    assert "handler of ConfigMap d/b failed" in caplog.text and "ZeroDivisionError" in caplog.text


def test_a_handler_may_add_a_handler() -> None:
    async def play(server: FakeServer, informer: Informer[ConfigMap], seen: Seen) -> None:
        late: list[str] = []

        def adds(old: ConfigMap | None, new: ConfigMap | None) -> None:
            if new is not None and new.metadata.name == "b":
                informer.add_handler(lambda old, new: late.append(key_of(new or old)))  # type: ignore[arg-type]

        informer.add_handler(adds)
        server.put(f"{BASE}/b")
        await asyncio.sleep(1)
        assert late == ["d/a", "d/b"], "each object once"

    scenario(play, "a")


def test_error_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        server = FakeServer()
        server.refusals = [refusal(403, "configmaps is forbidden")] * 20
        async with running(server):
            await asyncio.sleep(20)

    with caplog.at_level(logging.WARNING):
        warp(run())
    assert caplog.text.count("configmaps is forbidden") == 1


def test_informers_are_shared_and_can_be_added_while_running() -> None:
    async def run() -> None:
        server = FakeServer()
        server.put(f"{BASE}/a")
        informers = Informers(Client(server))
        first = informers.of(ConfigMap, namespace="d")
        assert informers.of(ConfigMap, namespace="d") is first
        task = asyncio.create_task(informers.run(), name="informers")
        await informers.synced()
        second = informers.of(ConfigMap)
        assert second is not first
        await asyncio.sleep(1)
        await informers.synced()
        assert first.cache.keys() == ["d/a"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        informers.of(ConfigMap, field_selector="metadata.name=x")  # after the end: known, not started

    warp(run())


def config_map(name: str, **labels: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="d", labels=labels))


def test_indexes_follow_changes() -> None:
    cache: Cache[ConfigMap] = Cache()
    cache.put(config_map("a", app="x"))
    cache.add_index("app", lambda obj: obj.metadata.labels.values())
    cache.put(config_map("b", app="x", also="y"))
    assert [o.metadata.name for o in cache.by_index("app", "x")] == ["a", "b"]
    cache.put(config_map("a", app="z"))
    assert [o.metadata.name for o in cache.by_index("app", "x")] == ["b"]
    assert cache.count("app", "z") == 1 and cache.count("app", "none") == 0
    cache.remove("d/b")
    assert cache.by_index("app", "x") == [] and cache.by_index("app", "y") == []
    assert cache.count("namespace", "d") == 1 == len(cache)
    assert cache.find("a", "d") is cache.get("d/a") and cache.find("a") is None
    assert cache.remove("d/none") is None


@pytest.mark.parametrize(("key", "parts"), [("ns/name", ("ns", "name")), ("name", ("", "name"))])
def test_keys(key: str, parts: tuple[str, str]) -> None:
    assert split_key(key) == parts
    assert key_of(ConfigMap(metadata=ObjectMeta(namespace=parts[0], name=parts[1]))) == key
