"""An event loop whose clock jumps to the next timer whenever it is idle: hours pass in milliseconds."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("deadlock: every task waits and there is no timer")
        if not found and timeout and timeout > 0:
            # A little more than the timeout, so that the timer is due despite rounding errors.
            self.now += timeout + 1e-9
        return found


class WarpLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 1000 and never waits."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1000.0 + self._jumping.now


def warp(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in such a loop."""
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(work)
