"""An event loop whose clock jumps to the next timer whenever nothing else is to do: hours pass in milliseconds."""

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
            raise AssertionError("every task waits for something that nobody will do")
        if not found and timeout and timeout > 0:
            # A hair more than asked for: a timer must be due although floating-point sums are inexact.
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
    """Run to the end in such a loop."""
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(work)
