"""The work queue: each rule, and any sequence of calls compared with a model."""

import asyncio
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.client.workqueue import QueueClosed, WorkQueue

from .warp import warp


async def nothing_more(queue: WorkQueue[str]) -> bool:
    try:
        async with asyncio.timeout(0.0001):
            await queue.get()
    except TimeoutError:
        return True
    return False


def test_a_key_is_queued_once() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        for key in "aabab":
            queue.add(key)
        assert len(queue) == 2
        assert [await queue.get(), await queue.get()] == ["a", "b"]
        assert await nothing_more(queue)

    warp(run())


def test_key_being_processed_is_queued_again_when_done() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        await queue.get()
        queue.add("a")
        queue.add("a")
        assert await nothing_more(queue)
        queue.done("a")
        assert await queue.get() == "a"
        queue.done("a")
        queue.done("a")
        assert await nothing_more(queue)

    warp(run())


def test_done_twice_does_not_double_a_key() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add("a")
        queue.done("a")
        assert len(queue) == 1

    warp(run())


@pytest.mark.parametrize(("delays", "due"), [((5, 1, 9), 1), ((1, 5), 1), ((3, 0), 0), ((2, -1), 0)])
def test_earliest_of_several_delays_counts(delays: tuple[float, ...], due: float) -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        start = asyncio.get_running_loop().time()
        for delay in delays:
            queue.add_after("a", delay)
        await queue.get()
        assert asyncio.get_running_loop().time() - start == pytest.approx(due, abs=0.001)

    warp(run())


def test_later_timer_still_fires_after_an_earlier_one() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        queue.add_after("a", 1)
        await queue.get()
        queue.done("a")
        queue.add_after("a", 5)
        await asyncio.sleep(4.9)
        assert len(queue) == 0
        await asyncio.sleep(0.2)
        assert len(queue) == 1

    warp(run())


def test_back_off_doubles_up_to_a_limit_and_resets() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue(base_delay=1, max_delay=10)
        loop = asyncio.get_running_loop()
        waits = []
        for _ in range(6):
            start = loop.time()
            queue.retry("a")
            queue.done(await queue.get())
            waits.append(round(loop.time() - start))
        assert waits == [1, 2, 4, 8, 10, 10]
        assert queue.failures("a") == 6
        queue.forget("a")
        assert queue.failures("a") == 0
        for _ in range(2000):  # no overflow, whatever the count
            queue.retry("b")

    warp(run())


class HandClock:
    """A clock whose timers all report the same time, as some tests of others have it."""

    def __init__(self) -> None:
        self.timers: list[tuple[float, asyncio.TimerHandle]] = []

    def call_later(self, delay, callback, *args):  # type: ignore[no-untyped-def]
        handle = asyncio.TimerHandle(0, callback, args, asyncio.get_running_loop())
        self.timers.append((delay, handle))
        return handle


def test_timers_of_another_clock() -> None:
    async def run() -> None:
        clock = HandClock()
        queue: WorkQueue[str] = WorkQueue(clock=clock)
        for delay in (5, 1, 9):
            queue.add_after("a", delay)
        assert [delay for delay, handle in clock.timers if not handle.cancelled()] == [1]
        await asyncio.sleep(100)
        assert len(queue) == 0

    warp(run())


def test_close_wakes_waiting_workers_and_leaves_queued_keys() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        waiting = [asyncio.create_task(queue.get(), name=f"worker {n}") for n in range(3)]
        await asyncio.sleep(1)
        queue.add("last")
        queue.add_after("never", 1)
        queue.close()
        results = await asyncio.gather(*waiting, return_exceptions=True)
        assert sorted(map(repr, results)) == ["'last'", "QueueClosed()", "QueueClosed()"]
        queue.add("too late")
        queue.add_after("too late", 1)
        await asyncio.sleep(10)
        with pytest.raises(QueueClosed):
            await queue.get()

    warp(run())


def test_cancelled_worker_loses_no_key() -> None:
    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue()
        first, second = (asyncio.create_task(queue.get(), name=name) for name in ("first", "second"))
        await asyncio.sleep(1)
        queue.add("a")
        first.cancel()
        assert await second == "a"
        with suppress(asyncio.CancelledError):
            await first

    warp(run())


CALLS = st.lists(
    st.tuples(st.sampled_from(["add", "after", "retry", "forget", "wait"]), st.sampled_from("abc"), st.integers(0, 3)),
    max_size=50,
)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(CALLS, st.integers(1, 3))
def test_any_sequence_of_calls(calls: list[tuple[str, str, int]], workers: int) -> None:
    """No key is ever in two hands, and each add is followed by a start of work on its key."""

    async def run() -> None:
        queue: WorkQueue[str] = WorkQueue(base_delay=0.5)
        working: set[str] = set()
        owed: set[str] = set()

        async def worker(number: int) -> None:
            with suppress(QueueClosed):
                while True:
                    key = await queue.get()
                    assert key not in working, "two workers on one key"
                    working.add(key)
                    owed.discard(key)
                    await asyncio.sleep(0.3 * number)
                    working.discard(key)
                    queue.done(key)

        tasks = [asyncio.create_task(worker(n), name=f"worker {n}") for n in range(1, workers + 1)]
        for call, key, seconds in calls:
            match call:
                case "add":
                    owed.add(key)
                    queue.add(key)
                case "after":
                    owed.add(key)
                    queue.add_after(key, seconds)
                case "retry":
                    owed.add(key)
                    queue.retry(key)
                case "forget":
                    queue.forget(key)
                case "wait":
                    await asyncio.sleep(seconds * 0.25)
        await asyncio.sleep(3000)
        assert not owed and not working and len(queue) == 0
        queue.close()
        await asyncio.gather(*tasks)

    warp(run())
