"""A waiting task can always be cancelled."""

import asyncio

import pytest

from pybernetes.kubelet.waiting import wait_at_most


@pytest.mark.parametrize("steps", range(6))
async def test_a_cancellation_at_the_moment_of_the_event_is_not_lost(steps: int) -> None:
    event = asyncio.Event()

    async def forever() -> None:
        while True:
            await wait_at_most(event, 60)
            event.clear()

    task = asyncio.create_task(forever())
    await asyncio.sleep(0)
    event.set()
    for _ in range(steps):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task], timeout=1)
    assert task.cancelled()


async def test_the_wait_ends_with_its_time() -> None:
    await wait_at_most(asyncio.Event(), 0.001)
