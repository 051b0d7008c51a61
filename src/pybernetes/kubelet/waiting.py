"""Waiting with a limit.

`asyncio.wait_for` of Python 3.11 loses a cancellation that comes at the moment at which its future is done; a task
that waits in a loop would then never end. `asyncio.timeout` does not.
"""

import asyncio


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Wait until the event is set, but no longer than `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
