"""The contract suite that every engine must pass.

An engine's test module subclasses `StoreContract` and gives it an `opener` fixture.

An opener opens a fresh, empty store with keyword arguments `stamp`, `window` and `buffer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from pybernetes.store import (
    AlreadyExists,
    Compacted,
    Conflict,
    Event,
    FutureRevision,
    NotFound,
    Store,
    StoreClosed,
    Watch,
    WatchOverflow,
)

Opener = Callable[..., Awaitable[Store]]

PODS = "/registry/pods/"
WEB = PODS + "default/web"


def splice(value: bytes, revision: int) -> bytes:
    """The stamp that the tests use: fills a placeholder, once."""
    return value.replace(b"@", str(revision).encode(), 1)


async def seen(watch: Watch, count: int) -> list[Event]:
    """Read until this many events have come."""
    events: list[Event] = []
    async with asyncio.timeout(5):
        while len(events) < count:
            events += await anext(watch)
    assert len(events) == count
    return events


def brief(events: list[Event]) -> list[tuple[str, str, bytes]]:
    return [(event.kind, event.kv.key, event.kv.value) for event in events]


def values(store: Store, prefix: str, **options: int | str) -> dict[str, bytes]:
    return {kv.key: kv.value for kv in store.range(prefix, **options).items}  # type: ignore[arg-type]


class StoreContract:
    @pytest.fixture
    async def store(self, opener: Opener) -> AsyncIterator[Store]:
        store = await opener()
        yield store
        await store.close()

    # Writing and reading

    async def test_put_then_get(self, store: Store) -> None:
        kv = await store.put(WEB, b"one")
        assert store.get(WEB) is kv
        assert (kv.key, kv.value, kv.create_revision) == (WEB, b"one", kv.revision)
        assert store.revision == kv.revision

    async def test_each_write_gets_the_next_revision(self, store: Store) -> None:
        first = await store.put(WEB, b"one")
        second = await store.put(WEB, b"two")
        gone = await store.delete(WEB)
        again = await store.put(WEB, b"three")
        revisions = [kv.revision for kv in (first, second, gone, again)]
        assert revisions == list(range(first.revision, first.revision + 4))
        assert second.create_revision == gone.create_revision == first.revision
        assert again.create_revision == again.revision

    async def test_get_of_an_absent_key(self, store: Store) -> None:
        assert store.get(WEB) is None
        assert store.range(PODS).items == []
        assert store.count(PODS) == 0

    async def test_the_stamp_is_in_memory_and_in_deletions(self, opener: Opener) -> None:
        store = await opener(stamp=splice)
        kv = await store.put(WEB, b"rv=@ and @")
        assert kv.value == b"rv=%d and @" % kv.revision
        gone = await store.delete(WEB)
        assert gone.value == b"rv=%d and @" % gone.revision
        await store.close()

    async def test_the_cache_slot_is_shared(self, store: Store) -> None:
        kv = await store.put(WEB, b"one")
        kv.cache = "decoded"
        found = store.get(WEB)
        assert found and found.cache == "decoded"
        assert store.range(PODS).items[0].cache == "decoded"

    @pytest.mark.parametrize("value", [b"", bytes(range(256)), b"x" * 1_000_000])
    async def test_any_bytes_are_values(self, store: Store, value: bytes) -> None:
        assert (await store.put(WEB, value)).value == value

    @pytest.mark.parametrize("key", ["", "a\0b", "\ud800"])
    async def test_invalid_keys_are_refused_without_side_effects(self, store: Store, key: str) -> None:
        with pytest.raises(ValueError):
            await store.put(key, b"")
        assert await store.put(WEB, b"still works")

    # Compare

    async def test_create_only(self, store: Store) -> None:
        kv = await store.put(WEB, b"one", expect=0)
        with pytest.raises(AlreadyExists) as caught:
            await store.put(WEB, b"two", expect=0)
        assert caught.value.current is kv
        assert store.get(WEB) is kv
        assert store.revision == kv.revision

    async def test_update_at_a_revision(self, store: Store) -> None:
        first = await store.put(WEB, b"one")
        second = await store.put(WEB, b"two", expect=first.revision)
        with pytest.raises(Conflict) as caught:
            await store.put(WEB, b"three", expect=first.revision)
        assert caught.value.current is second

    async def test_update_of_an_absent_key(self, store: Store) -> None:
        with pytest.raises(Conflict) as caught:
            await store.put(WEB, b"one", expect=7)
        assert caught.value.current is None

    async def test_delete_at_a_revision(self, store: Store) -> None:
        first = await store.put(WEB, b"one")
        await store.put(WEB, b"two")
        with pytest.raises(Conflict):
            await store.delete(WEB, expect=first.revision)
        assert store.get(WEB)
        await store.delete(WEB, expect=store.get(WEB).revision)  # type: ignore[union-attr]
        assert store.get(WEB) is None

    async def test_delete_of_an_absent_key(self, store: Store) -> None:
        for expect in (None, 3):
            with pytest.raises(NotFound):
                await store.delete(WEB, expect=expect)

    async def test_of_concurrent_updates_one_wins(self, store: Store) -> None:
        kv = await store.put(WEB, b"0")
        writes = [store.put(WEB, b"%d" % i, expect=kv.revision) for i in range(1, 20)]
        results = await asyncio.gather(*writes, return_exceptions=True)
        won = [result for result in results if not isinstance(result, BaseException)]
        lost = [result for result in results if isinstance(result, Conflict)]
        assert (len(won), len(lost)) == (1, 18)
        assert store.get(WEB) is won[0]
        assert all(error.current is won[0] for error in lost)

    async def test_of_concurrent_creates_and_deletes_one_wins(self, store: Store) -> None:
        creates = await asyncio.gather(*[store.put(WEB, b"", expect=0) for _ in range(5)], return_exceptions=True)
        assert sorted(type(result).__name__ for result in creates) == ["AlreadyExists"] * 4 + ["KeyValue"]
        deletes = await asyncio.gather(*[store.delete(WEB) for _ in range(5)], return_exceptions=True)
        assert sorted(type(result).__name__ for result in deletes) == ["KeyValue"] + ["NotFound"] * 4

    async def test_many_writers(self, store: Store) -> None:
        start = store.revision
        kvs = await asyncio.gather(*[store.put(f"{PODS}default/{i}", b"%d" % i) for i in range(300)])
        assert sorted(kv.revision for kv in kvs) == list(range(start + 1, start + 301))
        assert store.count(PODS) == 300

    async def test_a_cancelled_caller_does_not_affect_other_writes(self, store: Store) -> None:
        task = asyncio.create_task(store.put(WEB, b"maybe"))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert (await store.put(WEB, b"after")).value == b"after"

    async def test_read_barrier(self, store: Store) -> None:
        kv = await store.put(WEB, b"one")
        assert await store.read_barrier() >= kv.revision

    # Ranges

    async def fill(self, store: Store) -> list[str]:
        keys = [f"{PODS}{namespace}/{name}" for namespace in ("a", "a-b", "b") for name in ("x", "y", "é")]
        keys += ["/registry/pods-x/a/x", "/registry/services/a/x", "/registry", "other"]
        for key in reversed(keys):
            await store.put(key, key.encode())
        return sorted(keys)

    @pytest.mark.parametrize(
        "prefix", ["", "/", "/registry", "/registry/", "/registry/pods", PODS, PODS + "a", PODS + "a/", WEB]
    )
    async def test_a_range_is_the_keys_with_the_prefix_in_order(self, store: Store, prefix: str) -> None:
        keys = await self.fill(store)
        expected = [key for key in keys if key.startswith(prefix)]
        page = store.range(prefix)
        assert [kv.key for kv in page.items] == expected
        assert (page.revision, page.remaining) == (store.revision, 0)
        assert store.count(prefix) == len(expected)

    @pytest.mark.parametrize("prefix", ["", "/registry/", PODS])
    @pytest.mark.parametrize("limit", [1, 2, 100])
    async def test_pages_add_up_to_the_range(self, store: Store, prefix: str, limit: int) -> None:
        expected = [key for key in await self.fill(store) if key.startswith(prefix)]
        found: list[str] = []
        while True:
            page = store.range(prefix, start=found[-1] if found else "", limit=limit)
            found += [kv.key for kv in page.items]
            assert page.remaining == len(expected) - len(found)
            if not page.remaining:
                break
        assert found == expected

    async def test_a_snapshot_is_stable_under_writes(self, store: Store) -> None:
        for name in "abcdef":
            await store.put(PODS + name, b"old")
        first = store.range(PODS, limit=2)
        assert [kv.key[-1] for kv in first.items] == ["a", "b"]
        await store.delete(PODS + "c")
        await store.put(PODS + "d", b"new")
        await store.put(PODS + "d", b"newer")
        await store.put(PODS + "bb", b"new")
        await store.put("/registry/other/x", b"new")
        rest = store.range(PODS, start=PODS + "b", revision=first.revision, limit=3)
        assert [(kv.key[-1], kv.value) for kv in rest.items] == [("c", b"old"), ("d", b"old"), ("e", b"old")]
        assert (rest.revision, rest.remaining) == (first.revision, 1)
        assert [kv.key[len(PODS) :] for kv in store.range(PODS).items] == ["a", "b", "bb", "d", "e", "f"]

    async def test_reads_at_future_and_compacted_revisions_are_refused(self, store: Store) -> None:
        old = await store.put(WEB, b"one")
        kv = await store.put(WEB, b"two")
        with pytest.raises(FutureRevision):
            store.range(PODS, revision=kv.revision + 1)
        await store.compact(kv.revision)
        with pytest.raises(Compacted):
            store.range(PODS, revision=old.revision)
        assert values(store, PODS, revision=kv.revision) == {WEB: b"two"}

    # Watches

    async def test_a_watch_returns_every_change(self, opener: Opener) -> None:
        store = await opener(stamp=splice)
        async with store.watch(PODS) as watch:
            created = await store.put(WEB, b"a@")
            updated = await store.put(WEB, b"b@")
            await store.put("/registry/services/default/web", b"")
            deleted = await store.delete(WEB)
            events = await seen(watch, 3)
            assert [event.kind for event in events] == ["put", "put", "delete"]
            assert [event.kv.revision for event in events] == [
                created.revision,
                updated.revision,
                deleted.revision,
            ]
            assert [event.prev and event.prev.value for event in events] == [
                None,
                created.value,
                updated.value,
            ]
            assert [event.is_create for event in events] == [True, False, False]
            assert events[2].kv.value == b"b%d" % deleted.revision
            assert events[0].kv is created
        await store.close()

    async def test_a_watch_resumes(self, store: Store) -> None:
        first = await store.put(WEB, b"one")
        await store.put(WEB, b"two")
        await store.delete(WEB)
        async with store.watch(PODS, from_revision=first.revision) as watch:
            await store.put(WEB, b"three")
            events = await seen(watch, 3)
            assert brief(events) == [("put", WEB, b"two"), ("delete", WEB, b"two"), ("put", WEB, b"three")]

    async def test_a_watch_from_a_future_revision_waits(self, store: Store) -> None:
        now = (await store.put(WEB, b"one")).revision
        async with store.watch(PODS, from_revision=now + 2) as watch:
            for value in (b"two", b"three", b"four"):
                await store.put(WEB, value)
            assert brief(await seen(watch, 1)) == [("put", WEB, b"four")]

    async def test_a_watch_of_one_key(self, store: Store) -> None:
        async with store.watch(WEB) as watch:
            await store.put(PODS + "default/other", b"")
            await store.put(WEB, b"one")
            assert brief(await seen(watch, 1)) == [("put", WEB, b"one")]

    async def test_watches_share_the_event(self, store: Store) -> None:
        async with store.watch(PODS) as one, store.watch("/registry/") as two, store.watch("") as three:
            await store.put(WEB, b"one")
            events = [(await seen(watch, 1))[0] for watch in (one, two, three)]
            assert events[0] is events[1] is events[2]

    async def test_a_watch_from_a_compacted_revision_is_refused(self, opener: Opener) -> None:
        store = await opener(window=8)
        first = await store.put(WEB, b"first")
        for i in range(20):
            await store.put(WEB, b"%d" % i)
        assert store.compacted > first.revision
        with pytest.raises(Compacted):
            store.watch(PODS, from_revision=first.revision)
        async with store.watch(PODS, from_revision=store.compacted) as watch:
            assert len(await seen(watch, store.revision - store.compacted)) >= 8
        await store.close()

    async def test_a_slow_watch_ends_and_does_not_delay_others(self, opener: Opener) -> None:
        store = await opener(buffer=10)
        async with store.watch(PODS) as slow, store.watch(PODS) as quick:
            for i in range(30):
                await store.put(WEB, b"%d" % i)
                await seen(quick, 1)
            with pytest.raises(WatchOverflow):
                await anext(slow)
            with pytest.raises(WatchOverflow):
                await anext(slow)
        await store.close()

    async def test_progress(self, store: Store) -> None:
        kv = await store.put(WEB, b"one")
        async with store.watch(PODS) as watch:
            assert watch.progress() == kv.revision
            other = await store.put("/registry/services/default/web", b"")
            assert watch.progress() == other.revision
            last = await store.put(WEB, b"two")
            assert watch.progress() == other.revision
            await seen(watch, 1)
            assert watch.progress() == last.revision

    async def test_closing_a_watch_ends_its_reader(self, store: Store) -> None:
        watch = store.watch(PODS)
        reader = asyncio.create_task(self.read_all(watch))
        await asyncio.sleep(0)
        watch.close()
        watch.close()
        assert await reader == []

    async def test_closing_the_store_ends_the_readers(self, opener: Opener) -> None:
        store = await opener()
        reader = asyncio.create_task(self.read_all(store.watch(PODS)))
        await asyncio.sleep(0)
        await store.close()
        await store.close()
        with pytest.raises(StoreClosed):
            await reader
        with pytest.raises(StoreClosed):
            await store.put(WEB, b"")
        with pytest.raises(StoreClosed):
            store.watch(PODS)

    async def read_all(self, watch: Watch) -> list[Event]:
        return [event async for batch in watch for event in batch]

    # Compaction

    async def test_compaction_keeps_the_current_state(self, store: Store) -> None:
        for i in range(10):
            await store.put(f"{PODS}{i % 3}", b"%d" % i)
        await store.delete(PODS + "0")
        before = values(store, PODS)
        async with store.watch(PODS) as watch:
            await store.compact(store.revision)
            assert values(store, PODS) == before
            assert store.compacted == store.revision
            await store.put(WEB, b"on we go")
            await seen(watch, 1)

    async def test_compaction_at_future_and_past_revisions(self, store: Store) -> None:
        await store.put(WEB, b"one")
        kv = await store.put(WEB, b"two")
        with pytest.raises(FutureRevision):
            await store.compact(kv.revision + 1)
        await store.compact(kv.revision)
        await store.compact(kv.revision - 1)
        assert store.compacted == kv.revision
