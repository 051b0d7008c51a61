"""VICI, the control protocol of strongSwan's charon: packets of named sections, lists and values over a socket.

A packet is its length in four bytes, its type, for most types a name, and a message. Pure functions for messages, and a
client that never waits longer than its timeout. Data from the socket is checked: garbage is a ViciError.

Source: the README of strongSwan's vici plugin.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

#: What a message holds: text, a list of texts, or a section of the same.
Value = str | Sequence[str] | Mapping[str, "Value"]
Message = Mapping[str, Value]

REQUEST, RESPONSE, UNKNOWN = 0, 1, 2
REGISTER, UNREGISTER, CONFIRM, EVENT_UNKNOWN, EVENT = 3, 4, 5, 6, 7
_SECTION, _SECTION_END, _KEY_VALUE, _LIST, _ITEM, _LIST_END = 1, 2, 3, 4, 5, 6
#: Longest packet that charon sends or takes.
LIMIT = 512 << 10
_SECONDS = 5.0


class ViciError(Exception):
    """charon does not answer, refuses, or sends a malformed answer."""


def encode(message: Message) -> bytes:
    """A message's bytes. Raises ViciError for what the format can't represent."""
    out = bytearray()
    for key, value in message.items():
        name = _name(key)
        if isinstance(value, str):
            out += bytes((_KEY_VALUE,)) + name + _text(key, value)
        elif isinstance(value, Mapping):
            out += bytes((_SECTION,)) + name + encode(value) + bytes((_SECTION_END,))
        else:
            items = b"".join(bytes((_ITEM,)) + _text(key, item) for item in value)
            out += bytes((_LIST,)) + name + items + bytes((_LIST_END,))
    return bytes(out)


def _name(text: str) -> bytes:
    raw = text.encode()
    if not 0 < len(raw) < 256:
        raise ViciError(f"a name for charon must have 1 to 255 bytes, found {len(raw)}: {text!r:.40}")
    return bytes((len(raw),)) + raw


def _text(key: str, text: str) -> bytes:
    raw = text.encode()
    if len(raw) >= 1 << 16:
        raise ViciError(f"a value for charon must have less than 65536 bytes; {key} has {len(raw)}")
    return len(raw).to_bytes(2, "big") + raw


class _Reader:
    """Decodes a message."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._place = 0

    def __bool__(self) -> bool:
        return self._place < len(self._data)

    def take(self, count: int) -> bytes:
        piece = self._data[self._place : self._place + count]
        if len(piece) < count:
            raise ViciError(f"charon's message ends in the middle: {count} bytes expected, found {len(piece)}")
        self._place += count
        return piece

    def kind(self) -> int:
        return self.take(1)[0]

    def name(self) -> str:
        return self.take(self.kind()).decode(errors="replace")

    def text(self) -> str:
        return self.take(int.from_bytes(self.take(2), "big")).decode(errors="replace")


def decode(data: bytes) -> dict[str, Value]:
    """The message in these bytes. Raises ViciError."""
    reader = _Reader(data)
    top: dict[str, Value] = {}
    open_sections = [top]
    while reader:
        kind = reader.kind()
        if kind == _SECTION:
            section: dict[str, Value] = {}
            open_sections[-1][reader.name()] = section
            open_sections.append(section)
        elif kind == _SECTION_END and len(open_sections) > 1:
            open_sections.pop()
        elif kind == _KEY_VALUE:
            key = reader.name()
            open_sections[-1][key] = reader.text()
        elif kind == _LIST:
            key = reader.name()
            open_sections[-1][key] = _items(reader)
        else:
            raise ViciError(f"charon's message has an element of type {kind} that is not allowed there")
    if len(open_sections) > 1:
        raise ViciError("charon's message ends inside a section")
    return top


def _items(reader: _Reader) -> list[str]:
    items = []
    while (kind := reader.kind()) == _ITEM:
        items.append(reader.text())
    if kind != _LIST_END:
        raise ViciError(f"charon's message has an element of type {kind} inside a list")
    return items


def section(value: Value | None) -> Mapping[str, Value]:
    """The value if it is a section; else an empty one."""
    return value if isinstance(value, Mapping) else {}


def text(value: Value | None) -> str:
    """The value if it is text; else empty."""
    return value if isinstance(value, str) else ""


class Vici:
    """One connection; one command at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def call(self, command: str, message: Message | None = None, *, seconds: float = _SECONDS) -> Message:
        """The answer to a command. Raises ViciError, also if charon reports a failure."""
        answer = await self._exchange(REQUEST, command, message or {}, seconds)
        if answer.get("success") == "no":
            raise ViciError(f"charon refuses {command}: {text(answer.get('errmsg')) or 'no reason given'}")
        return answer

    async def stream(self, command: str, event: str, message: Message, *, seconds: float = _SECONDS) -> list[Message]:
        """The events that a command causes before it is answered."""
        events: list[Message] = []
        await self._exchange(REGISTER, event, {}, seconds)
        await self._exchange(REQUEST, command, message, seconds, events.append)
        await self._exchange(UNREGISTER, event, {}, seconds)
        return events

    async def initiate(self, message: Message, *, seconds: float) -> tuple[bool, list[str]]:
        """Set up a tunnel; returns whether it is up, and what charon logged meanwhile."""
        lines: list[str] = []
        await self._exchange(REGISTER, "control-log", {}, _SECONDS)
        answer = await self._exchange(
            REQUEST, "initiate", message, seconds, lambda event: lines.append(text(event.get("msg")))
        )
        return answer.get("success") == "yes", [*lines, text(answer.get("errmsg"))]

    async def _exchange(
        self,
        kind: int,
        name: str,
        message: Message,
        seconds: float,
        event: Callable[[Message], None] = lambda _: None,
    ) -> Message:
        packet = bytes((kind,)) + _name(name) + (encode(message) if kind == REQUEST else b"")
        if len(packet) > LIMIT:
            raise ViciError(f"{name} is too long for charon: {len(packet)} bytes, {LIMIT} at most")
        try:
            async with asyncio.timeout(seconds):
                self._writer.write(len(packet).to_bytes(4, "big") + packet)
                await self._writer.drain()
                while True:
                    answer, body = await self._receive()
                    if answer == EVENT:
                        event(decode(body[1 + body[0] :] if body else b""))
                    elif answer == RESPONSE and kind == REQUEST:
                        return decode(body)
                    elif answer == CONFIRM and kind in (REGISTER, UNREGISTER):
                        return {}
                    elif answer in (UNKNOWN, EVENT_UNKNOWN):
                        raise ViciError(f"this charon does not know {name}: is it strongSwan 5.8 or later?")
                    else:
                        raise ViciError(f"charon answered {name} with a packet of type {answer}")
        except TimeoutError as error:
            raise ViciError(f"charon did not answer {name} within {seconds:g} s") from error
        except (OSError, EOFError) as error:
            raise ViciError(f"charon's socket closed while it was asked for {name}: {error}") from error

    async def _receive(self) -> tuple[int, bytes]:
        length = int.from_bytes(await self._reader.readexactly(4), "big")
        if not 0 < length <= LIMIT:
            raise ViciError(f"charon announced a packet of {length} bytes: that is no VICI")
        packet = await self._reader.readexactly(length)
        return packet[0], packet[1:]


@asynccontextmanager
async def connect(socket: Path) -> AsyncIterator[Vici]:
    """A connection to the charon behind this socket. Raises ViciError."""
    try:
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_unix_connection(str(socket))
    except (OSError, TimeoutError) as error:
        raise ViciError(f"charon does not answer on {socket}: {error or 'time is up'}") from error
    try:
        yield Vici(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
