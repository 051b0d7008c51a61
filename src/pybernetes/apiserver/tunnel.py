"""Copies bytes in both directions between a client and a node after an upgrade of the connection."""

import asyncio
from collections.abc import Callable

from aiohttp.web_request import BaseRequest

from pybernetes.apiserver.types import Tunnel

CONNECT_SECONDS = 10.0
_HIGH_WATER = 1 << 20
_READ = 1 << 16


class Collector:
    """Replaces aiohttp's HTTP parser: receives all further bytes of a client's connection."""

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._paused = False
        self._ended = False
        self._pause, self._resume = pause, resume
        self._wake = asyncio.Event()

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        """Called by the connection with received bytes."""
        self._parts.append(bytes(data))
        self._size += len(data)
        if self._size > _HIGH_WATER and not self._paused:
            self._paused = True
            self._pause()
        self._wake.set()
        return False, b""

    def feed_eof(self) -> None:
        """Called by the connection when it is closed."""
        self._ended = True
        self._wake.set()

    async def read(self) -> bytes:
        """The next received bytes; b"" at the end."""
        while not self._parts:
            if self._ended:
                return b""
            self._wake.clear()
            await self._wake.wait()
        data, self._parts, self._size = b"".join(self._parts), [], 0
        if self._paused:
            self._paused = False
            self._resume()
        return data


async def run(incoming: BaseRequest, tunnel: Tunnel) -> None:
    """Connect and copy until either side closes. Raises OSError, TimeoutError if the connection fails."""
    transport = incoming.transport
    if transport is None:
        raise ConnectionResetError("the client has gone")
    collector = Collector(transport.pause_reading, transport.resume_reading)
    async with asyncio.timeout(CONNECT_SECONDS):
        reader, writer = await asyncio.open_connection(
            tunnel.host, tunnel.port, ssl=tunnel.tls, server_hostname=tunnel.host if tunnel.tls else None
        )
    incoming.protocol.set_parser(collector)  # type: ignore[arg-type]
    try:
        writer.write(tunnel.head)
        await writer.drain()
        there = asyncio.create_task(_up(collector, writer), name="tunnel to the node")
        try:
            await _down(incoming, reader)
        finally:
            there.cancel()
            await asyncio.gather(there, return_exceptions=True)
    finally:
        writer.close()
        if incoming.transport is not None:
            incoming.transport.close()


async def _up(collector: Collector, writer: asyncio.StreamWriter) -> None:
    while data := await collector.read():
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def _down(incoming: BaseRequest, reader: asyncio.StreamReader) -> None:
    """Copy the node's bytes to the client, no faster than the client reads."""
    transport = incoming.transport
    while data := await reader.read(_READ):
        if transport is None or transport.is_closing():
            return
        transport.write(data)
        await incoming.protocol._drain_helper()
