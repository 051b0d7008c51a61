"""The subset of HTTP/1.1 that the kubelet's server needs: one request per connection, streamed responses, upgrades.

The reason for an implementation of our own are upgrades: the connection of an exec request is passed through to the
runtime byte by byte.
"""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qsl, unquote

MAX_HEAD = 64 * 1024
MAX_BODY = 1 << 20
HEAD_TIMEOUT = 30.0


class BadRequest(Exception):
    """The request is malformed."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Names in `headers` are in lower case; `lines` are the header lines as received."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    headers: dict[str, str]
    lines: tuple[tuple[str, str], ...]

    def get(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return next((value for key, value in self.query if key == name), default)

    def all(self, name: str) -> tuple[str, ...]:
        """All values of a query parameter."""
        return tuple(value for key, value in self.query if key == name)

    def flag(self, name: str) -> bool:
        """Whether a query parameter is true."""
        return self.get(name).lower() in ("1", "true")

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of the path, decoded."""
        return tuple(unquote(part) for part in self.path.strip("/").split("/"))


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Read a request's head; None if the connection has been closed. Raises BadRequest."""
    try:
        async with asyncio.timeout(HEAD_TIMEOUT):
            head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError, TimeoutError):
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequest("the request's head is too long") from error
    return parse_head(head)


def parse_head(head: bytes) -> Request:
    """Parse request line and headers; raises BadRequest. Pure."""
    try:
        first, *rest = head.decode("latin-1").rstrip("\r\n").split("\r\n")
        method, target, version = first.split(" ")
        lines = tuple((name.strip(), value.strip()) for name, _, value in (line.partition(":") for line in rest))
    except ValueError as error:
        raise BadRequest("the request line is malformed") from error
    if not version.startswith("HTTP/1.") or not target.startswith("/") or any(not name for name, _ in lines):
        raise BadRequest("the request is malformed")
    path, _, query = target.partition("?")
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    return Request(method, path, pairs, {name.lower(): value for name, value in lines}, lines)


async def read_body(request: Request, reader: asyncio.StreamReader) -> bytes:
    """Read a body of known length; raises BadRequest if it is too long."""
    length = request.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY:
        raise BadRequest("the request's body has no length, or is too long")
    return await reader.readexactly(int(length))


def head_of(status: int, headers: dict[str, str]) -> bytes:
    """Status line and headers of a response."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *(f"{k}: {v}" for k, v in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def answer(
    writer: asyncio.StreamWriter, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8"
) -> None:
    """Send a complete response."""
    headers = {"Content-Type": content_type, "Content-Length": str(len(body)), "Connection": "close"}
    writer.write(head_of(status, headers) + body)
    await writer.drain()


async def stream(writer: asyncio.StreamWriter, blocks: AsyncGenerator[bytes, None]) -> None:
    """Send a response of unknown length, block by block."""
    headers = {"Content-Type": "text/plain", "Transfer-Encoding": "chunked", "Connection": "close"}
    writer.write(head_of(200, headers))
    await writer.drain()
    async for block in blocks:
        writer.write(b"%x\r\n%b\r\n" % (len(block), block))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()
