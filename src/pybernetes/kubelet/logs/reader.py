"""Reads and follows a container's log, with the options of `kubectl logs`."""

import os
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pybernetes.kubelet.logs.cri_log import Entry, parse, time_key
from pybernetes.linux.inotify import CLOSE_WRITE, CREATE, DELETE_SELF, MODIFY, MOVE_SELF, MOVED_TO, Watcher

_BLOCK = 64 * 1024
_SOON = 0.1
_CHECK_PERIOD = 5.0
"""Seconds between checks whether a followed container still runs, while its log does not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogOptions:
    """The options of a request for logs; None means no limit."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: str = ""
    """Only lines from this time on, in RFC 3339 and UTC."""
    limit_bytes: int | None = None
    streams: frozenset[str] = frozenset(("stdout", "stderr"))


Alive = Callable[[], Awaitable[bool]]


async def read_log(path: Path, options: LogOptions, alive: Alive) -> AsyncGenerator[bytes, None]:
    """The log's text in blocks; with `follow`, until the container has exited. Raises FileNotFoundError."""
    left = options.limit_bytes
    render = _Renderer(options)
    async for lines in _lines(path, options, alive):
        block = render.render(lines)
        if left is not None:
            block = block[:left]
            left -= len(block)
        if block:
            yield block
        if left == 0:
            return


class _Renderer:
    """Converts raw lines to text. Keeps track of partial lines: only the first part gets a timestamp."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._since = time_key(options.since) if options.since else ""
        self._inside: dict[str, bool] = {}

    def render(self, lines: list[bytes]) -> bytes:
        parts = []
        for line in lines:
            entry = parse(line)
            if entry is not None and self._wanted(entry):
                if self._options.timestamps and not self._inside.get(entry.stream):
                    parts.append(entry.time.encode() + b" ")
                parts.append(entry.text)
                self._inside[entry.stream] = entry.partial
        return b"".join(parts)

    def _wanted(self, entry: Entry) -> bool:
        if entry.stream not in self._options.streams:
            return False
        return not self._since or time_key(entry.time) >= self._since


async def _lines(path: Path, options: LogOptions, alive: Alive) -> AsyncGenerator[list[bytes], None]:
    """Complete raw lines as they are written, across rotations."""
    watcher = Watcher() if options.follow else None
    file: BinaryIO = _open(path)
    rest, woken = b"", False
    try:
        descriptors = _watch(watcher, path)
        if options.tail_lines is not None:
            file.seek(tail_offset(file, options.tail_lines))
        while True:
            block = file.read(_BLOCK)
            if block:
                *lines, rest = (rest + block).split(b"\n")
                yield lines
                continue
            if watcher is None:
                break
            rotated = _reopened(path, file)
            if rotated is not None:
                file.close()
                file, rest = rotated, b""
                for descriptor in descriptors:
                    watcher.remove(descriptor)
                descriptors = _watch(watcher, path)
                continue
            still_running = await alive()
            if not still_running and os.fstat(file.fileno()).st_size <= file.tell():
                break
            if still_running:
                # The runtime reports a container's exit a moment after it has closed the log: check again soon.
                woken = await watcher.wait(_SOON if woken else _CHECK_PERIOD)
        if rest:
            yield [rest]
    finally:
        file.close()
        if watcher is not None:
            watcher.close()


def _watch(watcher: Watcher | None, path: Path) -> list[int]:
    if watcher is None:
        return []
    return [
        watcher.add(path, MODIFY | CLOSE_WRITE | MOVE_SELF | DELETE_SELF),
        watcher.add(path.parent, CREATE | MOVED_TO),
    ]


def _open(path: Path) -> BinaryIO:
    return path.open("rb")


def _reopened(path: Path, file: BinaryIO) -> BinaryIO | None:
    """The log's new file, if the log has been rotated."""
    try:
        there = os.stat(path)
        if there.st_ino != os.fstat(file.fileno()).st_ino:
            return _open(path)
    except FileNotFoundError:
        pass
    return None


def tail_offset(file: BinaryIO, lines: int) -> int:
    """The offset at which the last `lines` lines begin, including a line that is still being written.

    The parts of a line that was written in parts count as one line.
    """
    position = file.seek(0, 2)
    if lines <= 0:
        return position
    tail, found = b"", 0
    while position > 0:
        step = min(_BLOCK, position)
        position -= step
        file.seek(position)
        tail = file.read(step) + tail
        ends = _full_line_ends(tail, at_start=position == 0)
        found = len(ends)
        if found > lines:
            return position + ends[-lines - 1]
    return 0


def _full_line_ends(tail: bytes, *, at_start: bool) -> list[int]:
    """The offsets after each entry that ends a line."""
    ends, offset = [], 0
    pieces = tail.split(b"\n")
    for index, piece in enumerate(pieces):
        offset += len(piece) + 1
        if index == len(pieces) - 1:
            if piece:
                ends.append(len(tail))
            break
        entry = parse(piece)
        cut_off = index == 0 and not at_start
        if cut_off or entry is None or not entry.partial:
            ends.append(offset)
    return ends
