"""One thread that does the blocking work of one store, in the order of submission.

Cheaper than an executor: a write costs one queue operation and one callback in the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
Done = Callable[[Any, BaseException | None], None]
_Job = tuple[Callable[[], Any], Done]


class Worker:
    """Runs callables in its thread; their callbacks run in the event loop's thread."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def submit(self, job: Callable[[], Any], done: Done) -> None:
        """Queue a job; `done(result, error)` is called in the event loop."""
        self._jobs.put((job, done))

    async def run(self, job: Callable[[], T]) -> T:
        future: asyncio.Future[T] = self._loop.create_future()

        def done(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.submit(job, done)
        return await future

    async def stop(self) -> None:
        """Let the queued jobs finish, then end the thread."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)

    def _work(self) -> None:
        while (entry := self._jobs.get()) is not None:
            job, done = entry
            result, error = None, None
            try:
                result = job()
            except BaseException as caught:  # passed to the caller that waits for the job
                error = caught
            try:
                self._loop.call_soon_threadsafe(done, result, error)
            except RuntimeError:  # the loop is closed, and no caller waits any more
                return
