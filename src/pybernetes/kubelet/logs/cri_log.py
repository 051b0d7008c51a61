"""The log format that CRI runtimes write: `2026-01-02T15:04:05.123456789Z stdout F a line`. Pure, but for reading.

`P` marks a part of a longer line, whose other parts follow; the newline belongs only to the last one (`F`).
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the file. `text` has its newline unless it is a part."""

    time: str
    stream: str
    partial: bool
    text: bytes


def parse(line: bytes) -> Entry | None:
    """One line without its newline; None if it is not in the format."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr") or len(parts[0]) < 20:
        return None
    partial = parts[2].split(b":")[0] == b"P"
    body = parts[3] if len(parts) == 4 else b""
    return Entry(parts[0].decode(errors="replace"), parts[1].decode(), partial, body if partial else body + b"\n")


def time_key(time: str) -> str:
    """A form of an RFC 3339 time with any number of decimals that sorts as text; expects UTC."""
    base, _, rest = time.partition(".")
    if not rest:
        return base.rstrip("Z")[:19] + ".000000000"
    return base + "." + rest.rstrip("Z")[:9].ljust(9, "0")


def tail_text(path: Path, lines: int, limit: int) -> str:
    """The last lines of a log without their prefixes, at most `limit` bytes; empty if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4 * limit))
            raw = file.read().splitlines()
    except OSError:
        return ""
    entries = [entry.text for line in raw[-lines:] if (entry := parse(line)) is not None]
    return b"".join(entries)[-limit:].decode(errors="replace")
