"""The last step of a write: store, then keep what was reserved for it, or release it if the write fails.

If something is reserved, this step is finished even if the client disconnects: the value must be either in use or
released.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from pybernetes.apiserver.allocate import Changes

T = TypeVar("T")


class Commits:
    """Runs last steps."""

    def __init__(self) -> None:
        self._unfinished: set[asyncio.Task[Any]] = set()

    async def run(self, write: Coroutine[Any, Any, T], reserved: Changes, *, dry_run: bool, shield: bool) -> T:
        """Await `write`. `shield`: finish it even if the caller is cancelled, whatever is reserved."""
        work = _complete(write, reserved, dry_run)
        if not reserved and not shield:
            return await work
        task = asyncio.ensure_future(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        return await asyncio.shield(task)


async def _complete(write: Coroutine[Any, Any, T], reserved: Changes, dry_run: bool) -> T:
    try:
        written = await write
        if not dry_run:
            reserved.keep()
        return written
    finally:
        reserved.undo()
