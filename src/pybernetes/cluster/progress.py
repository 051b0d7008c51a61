"""What `up` tells while it works: which step is under way, and what each took."""

import time
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Step:
    """One finished step, for people."""

    text: str
    seconds: float


class Progress(Protocol):
    """Told in turn: a step begins, then it is done. A step that fails is not done."""

    def begin(self, doing: str) -> None:
        """A step is under way: 'checking this machine'."""

    def done(self, step: Step) -> None:
        """It is done."""


class Steps:
    """Times the steps."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._last = time.monotonic()

    def begin(self, doing: str) -> None:
        """Name what comes next; the time before that belongs to it too."""
        self._progress.begin(doing)

    def done(self, text: str) -> None:
        """What took since the last call is done."""
        now = time.monotonic()
        self._progress.done(Step(text, now - self._last))
        self._last = now
