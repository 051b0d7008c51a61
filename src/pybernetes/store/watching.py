"""Passes events to watches: one shared object per event, a list append per watch, one wake-up per batch."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from pybernetes.store.errors import StoreError, WatchOverflow
from pybernetes.store.types import Event


class HubWatch:
    """One subscription: a bounded buffer between the hub and a reader. See `types.Watch` for the contract."""

    def __init__(self, hub: Hub, prefix: str, after: int, backlog: list[Event], limit: int) -> None:
        self.prefix = prefix
        self._hub = hub
        self._after = after
        self._buffer = backlog
        # The backlog requested at the start does not count against the limit: the reader is not slow yet.
        self._limit = limit + len(backlog)
        self._waiter: asyncio.Future[None] | None = None
        self._error: StoreError | None = None
        self._closed = False

    def offer(self, event: Event) -> None:
        """Called by the hub, which calls `wake` when the batch is complete."""
        if event.kv.revision > self._after:
            self._buffer.append(event)

    def wake(self) -> None:
        if len(self._buffer) > self._limit:
            self.fail(WatchOverflow(self.prefix, self._limit))
        elif self._buffer:
            self._release()

    def fail(self, error: StoreError) -> None:
        """End the watch: the reader gets the error next, and unread events are dropped."""
        self._error = error
        self._buffer = []
        self._hub.remove(self)
        self._release()

    def close(self) -> None:
        self._closed = True
        self._buffer = []
        self._hub.remove(self)
        self._release()

    def progress(self) -> int:
        if self._buffer:
            return max(self._after, self._buffer[0].kv.revision - 1)
        return max(self._after, self._hub.revision)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        while not self._buffer:
            if self._closed:
                raise StopAsyncIteration
            if self._error:
                raise self._error
            if self._waiter is not None:
                raise RuntimeError(f"two readers on one watch of {self.prefix!r}")
            self._waiter = asyncio.get_running_loop().create_future()
            try:
                await self._waiter
            finally:
                self._waiter = None
        batch, self._buffer = self._buffer, []
        return batch

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _release(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Hub:
    """All watches by prefix: an event looks up each length of prefix that is watched, and no
    more.
    """

    def __init__(self) -> None:
        self.revision = 0
        self._by_prefix: dict[str, dict[HubWatch, None]] = {}
        # Invariant: counts the prefixes in `_by_prefix` of each length.
        self._lengths: Counter[int] = Counter()

    def add(self, prefix: str, after: int, backlog: list[Event], limit: int) -> HubWatch:
        watch = HubWatch(self, prefix, after, backlog, limit)
        if prefix not in self._by_prefix:
            self._by_prefix[prefix] = {}
            self._lengths[len(prefix)] += 1
        self._by_prefix[prefix][watch] = None
        return watch

    def remove(self, watch: HubWatch) -> None:
        watches = self._by_prefix.get(watch.prefix, {})
        if watch not in watches:
            return
        del watches[watch]
        if watches:
            return
        del self._by_prefix[watch.prefix]
        self._lengths[len(watch.prefix)] -= 1
        if not self._lengths[len(watch.prefix)]:
            del self._lengths[len(watch.prefix)]

    def publish(self, events: Iterable[Event], revision: int) -> None:
        self.revision = revision
        touched: dict[HubWatch, None] = {}
        for event in events:
            key = event.kv.key
            for length in self._lengths:
                watches = self._by_prefix.get(key[:length]) if length <= len(key) else None
                if watches:
                    for watch in watches:
                        watch.offer(event)
                    touched.update(watches)
        for watch in touched:
            watch.wake()

    def fail_all(self, error: StoreError) -> None:
        for watch in [watch for watches in self._by_prefix.values() for watch in watches]:
            watch.fail(error)

    def __len__(self) -> int:
        return sum(map(len, self._by_prefix.values()))
