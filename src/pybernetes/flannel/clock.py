"""Time as an argument: tests hand in a clock of their own."""

import time
from typing import Protocol


class Clock(Protocol):
    """What the daemon asks for the time."""

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""

    def time(self) -> float:
        """Unix time, for what the kernel reports in it."""


class SystemClock:
    """The machine's."""

    monotonic = staticmethod(time.monotonic)
    time = staticmethod(time.time)
