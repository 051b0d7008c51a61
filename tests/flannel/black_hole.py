"""A proxy to a server on loopback that can drop all data: connections stay open without answers."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self


class BlackHole:
    """A TCP proxy. While cut, it accepts new connections and passes no data on, in either direction."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = asyncio.Event()
        self._open.set()
        self._lost = 0
        """Connections with a lower number than this never pass data again."""
        self._count = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def cut(self) -> None:
        """Drop everything from now on."""
        self._open.clear()

    def heal(self, *, forget: bool = False) -> None:
        """Pass on the data that was held back; with `forget`, only new connections, as a restarted firewall does."""
        if forget:
            self._lost = self._count
        self._open.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._count += 1
        task = asyncio.create_task(self._serve(reader, writer, self._count), name=f"black hole {self._count}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> None:
        with suppress(OSError):
            await self._pass(number)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
            try:
                both = {
                    asyncio.create_task(self._pump(reader, far_writer, number), name="black hole, there"),
                    asyncio.create_task(self._pump(far_reader, writer, number), name="black hole, back"),
                }
                try:
                    await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in both:
                        task.cancel()
                    await asyncio.gather(*both, return_exceptions=True)
            finally:
                far_writer.close()
        writer.close()

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, number: int) -> None:
        while data := await source.read(1 << 16):
            await self._pass(number)
            target.write(data)
            await target.drain()

    async def _pass(self, number: int) -> None:
        await self._open.wait()
        if number <= self._lost:
            await asyncio.Event().wait()
