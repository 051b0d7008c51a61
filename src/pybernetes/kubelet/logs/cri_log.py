"""The log format of CRI runtimes: `2026-01-02T15:04:05.123456789Z stdout F a line`.

`P` marks a partial line that the next entry continues. Only the last part (`F`) ends in a newline.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log. `text` ends in a newline unless the entry is partial."""

    time: str
    stream: str
    partial: bool
    text: bytes


def parse(line: bytes) -> Entry | None:
    """Parse a line, given without its newline; None if it does not have the format."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr") or len(parts[0]) < 20:
        return None
    partial = parts[2].split(b":")[0] == b"P"
    body = parts[3] if len(parts) == 4 else b""
    return Entry(parts[0].decode(errors="replace"), parts[1].decode(), partial, body if partial else body + b"\n")


def time_key(time: str) -> str:
    """An RFC 3339 time in UTC, with any number of decimals, in a form that sorts as text."""
    base, _, rest = time.partition(".")
    if not rest:
        return base.rstrip("Z")[:19] + ".000000000"
    return base + "." + rest.rstrip("Z")[:9].ljust(9, "0")


def tail_text(path: Path, lines: int, limit: int) -> str:
    """The text of a log's last lines, at most `limit` bytes; empty if the log cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 4 * limit))
            raw = file.read().splitlines()
    except OSError:
        return ""
    entries = [entry.text for line in raw[-lines:] if (entry := parse(line)) is not None]
    return b"".join(entries)[-limit:].decode(errors="replace")
