"""Waiting with a time limit.

`asyncio.wait_for` of Python 3.11 loses a cancellation that arrives just as its future completes, and a task that waits
in a loop then never ends. `asyncio.timeout` does not have this fault.
"""

import asyncio


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, but no longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
