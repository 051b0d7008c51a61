"""Progress of `up`: the current step, and the duration of each finished step."""

import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """A finished step and its duration in seconds."""

    text: str
    seconds: float


class Progress(Protocol):
    """Receives the begin and the end of each step. A step that fails has no end."""

    def begin(self, doing: str) -> None:
        """A step has begun, such as 'checking this machine'."""

    def done(self, step: Step) -> None:
        """The step has finished."""


class Steps:
    """Measures the duration of steps."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = time.monotonic()

    def begin(self, doing: str) -> None:
        """Begin a step. The time since the previous step counts for it."""
        self._progress.begin(doing)

    def done(self, text: str) -> None:
        """Finish the step that took the time since the last call."""
        now = time.monotonic()
        self._progress.done(Step(text, now - self._last))
        self._last = now
