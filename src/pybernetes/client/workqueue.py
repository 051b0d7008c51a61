"""A queue of keys to reconcile: each key is at most once in the queue and at most once being processed.

A key added while it is processed is queued again when that is done, so no change is missed and no key is processed
twice at the same time. Failed keys are retried with back-off.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, Protocol, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


#: Delays below the event loop's resolution of 1 ms run immediately (uvloop would drop the timer).
_TICK = 0.001


_COALESCE_PER_OBJECT = 0.0002
_COALESCE_MAX = 1.0


class Clock(Protocol):
    """Timers: an event loop, or the clock of a test."""

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        """Run the callback after `delay` seconds."""


class QueueClosed(Exception):
    """The queue was closed."""


class WorkQueue(Generic[KeyT]):
    """Call `add` from anywhere in the event loop; workers `await get()`, then call `done(key)`."""

    def __init__(self, *, base_delay: float = 0.005, max_delay: float = 1000.0, clock: Clock | None = None) -> None:
        self._base = base_delay
        self._max = max_delay
        self._clock = clock
        self._queue: deque[KeyT] = deque()
        self._dirty: set[KeyT] = set()
        self._working: set[KeyT] = set()
        self._failures: dict[KeyT, int] = {}
        self._timers: dict[KeyT, tuple[float, asyncio.TimerHandle]] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._queue)

    def add(self, key: KeyT) -> None:
        """Queue a key now."""
        if self._closed or key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._working:
            self._push(key)

    def add_after(self, key: KeyT, delay: float) -> None:
        """Queue a key after `delay` seconds; of several delays the earliest one counts."""
        if delay < _TICK:
            self.add(key)
            return
        if self._closed:
            return
        timer = (self._clock or asyncio.get_running_loop()).call_later(delay, self._timer, key)
        waiting = self._timers.get(key)
        if waiting is None:
            self._timers[key] = (delay, timer)
        elif (waiting[1].when(), waiting[0]) <= (timer.when(), delay):
            timer.cancel()
        else:
            waiting[1].cancel()
            self._timers[key] = (delay, timer)

    def add_coalesced(self, key: KeyT, size: int) -> None:
        """Queue a key after a delay that grows with `size`, the number of objects that its reconciliation reads.

        Changes that arrive meanwhile lead to one reconciliation, so the work per change stays constant.
        """
        self.add_after(key, min(size * _COALESCE_PER_OBJECT, _COALESCE_MAX))

    def retry(self, key: KeyT) -> None:
        """Queue a key after its back-off, which doubles with each failure in a row."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self.add_after(key, min(self._base * 2.0 ** min(failures, 60), self._max))

    def forget(self, key: KeyT) -> None:
        """The key succeeded: reset its back-off."""
        self._failures.pop(key, None)

    def failures(self, key: KeyT) -> int:
        """The number of failures of the key in a row."""
        return self._failures.get(key, 0)

    async def get(self) -> KeyT:
        """The next key. Raises QueueClosed when the queue is closed and empty."""
        while not self._queue:
            if self._closed:
                raise QueueClosed
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if waiter.done() and not waiter.cancelled() and self._queue:
                    self._wake()
                raise
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        key = self._queue.popleft()
        self._dirty.discard(key)
        self._working.add(key)
        return key

    def done(self, key: KeyT) -> None:
        """A key has been processed; if it was added meanwhile, it is queued again."""
        if key not in self._working:
            return
        self._working.remove(key)
        if key in self._dirty:
            self._push(key)

    def close(self) -> None:
        """Wake all waiting workers with QueueClosed."""
        self._closed = True
        for _, timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._waiters:
            self._wake()

    def _timer(self, key: KeyT) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _push(self, key: KeyT) -> None:
        self._queue.append(key)
        self._wake()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
