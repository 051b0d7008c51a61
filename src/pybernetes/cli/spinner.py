"""Print progress: a line per step with its duration and, on a terminal, a spinner for the current step."""

import sys
import threading
import time
from typing import TextIO

from pybernetes.cluster.progress import Step

_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_PLAIN_FRAMES = "|/-\\"
_SECONDS = 0.1


class Lines:
    """A `Progress` on a stream. `close` ends it, also in the middle of a step."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._live = self._stream.isatty()
        self._frames = _FRAMES if "utf" in (self._stream.encoding or "").lower() else _PLAIN_FRAMES
        self._doing = ""
        self._begun = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        if self._live:
            threading.Thread(target=self._turn, name="spinner", daemon=True).start()

    def begin(self, doing: str) -> None:
        """Show the current step."""
        with self._lock:
            self._doing = doing

    def done(self, step: Step) -> None:
        """Replace the spinner by a line for the finished step."""
        with self._lock:
            self._doing = ""
            self._begun = time.monotonic()
            self._write(f"{self._clear()}  {step.seconds:6.2f} s  {step.text}\n")

    def close(self) -> None:
        """Remove the spinner."""
        with self._lock:
            if not self._ended.is_set():
                self._ended.set()
                self._write(self._clear())

    def _clear(self) -> str:
        return "\r\x1b[K" if self._live else ""

    def _write(self, text: str) -> None:
        if text:
            self._stream.write(text)
            self._stream.flush()

    def _turn(self) -> None:
        frame = 0
        while not self._ended.wait(_SECONDS):
            with self._lock:
                if self._doing and not self._ended.is_set():
                    seconds = time.monotonic() - self._begun
                    self._write(f"{self._clear()}  {seconds:6.1f} s  {self._frames[frame]} {self._doing}")
            frame = (frame + 1) % len(self._frames)
