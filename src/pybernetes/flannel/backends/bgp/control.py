"""BIRD's control socket: lines of text, as `birdc` speaks it.

An answer is lines of a four-digit code and text; a hyphen after the code, or a space in place of the code, says that
more lines follow. Codes from 8000 on are errors.
"""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_SECONDS = 5.0
_LINE = re.compile(r"(?:(\d{4})([ -])| )(.*)")
#: Longest line, and most lines: a few per session.
_LIMIT, _MOST = 1 << 16, 1 << 17


class BirdError(Exception):
    """BIRD did not answer, or reported an error."""


@dataclass(frozen=True, slots=True)
class SessionState:
    """A BGP session as in `show protocols`."""

    name: str
    up: bool
    info: str
    """Such as `Established`, or `Active        Socket: Connection refused`."""


async def ask(socket: Path, command: str) -> list[str]:
    """The answer's lines without their codes. Raises BirdError."""
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket), limit=_LIMIT)
            try:
                await _answer(reader)  # the greeting
                writer.write(command.encode() + b"\n")
                return await _answer(reader)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except asyncio.LimitOverrunError as error:
        raise BirdError(f"BIRD answered on {socket} with a line of more than {_LIMIT} bytes") from error
    except (OSError, TimeoutError, EOFError, ValueError) as error:
        raise BirdError(f"BIRD does not answer on {socket}: {error or 'time is up'}") from error


async def _answer(reader: asyncio.StreamReader) -> list[str]:
    lines: list[str] = []
    while len(lines) < _MOST:
        line = (await reader.readuntil(b"\n")).decode(errors="replace").rstrip("\n")
        match = _LINE.fullmatch(line)
        if match is None:
            raise BirdError(f"BIRD answered {line!r:.80}, which is not part of its protocol")
        code, mark, text = match.groups()
        lines.append(text)
        if code is not None and mark == " ":
            if int(code) >= 8000:
                raise BirdError("; ".join(filter(None, lines)))
            return lines
    raise BirdError(f"BIRD answered with more than {_MOST} lines")


def sessions(lines: Sequence[str]) -> list[SessionState]:
    """The BGP sessions of an answer to `show protocols`."""
    found = []
    for line in lines:
        fields = line.split(maxsplit=5)
        if len(fields) >= 5 and fields[1] == "BGP":
            info = fields[5] if len(fields) == 6 else ""
            found.append(SessionState(fields[0], info.startswith("Established"), " ".join(info.split())))
    return found
