"""The DNS server of a node or a cluster: UDP and TCP sockets that answer from a zone."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pybernetes.dns.answers import Forward, Responder
from pybernetes.dns.zone import Zone

log = logging.getLogger(__name__)

_BATCH = 64
_TCP_IDLE = 10.0
_TCP_CONNECTIONS = 500
_PORT_TRIES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsOptions:
    """Where to listen."""

    addresses: Sequence[str]
    port: int = 53
    domain: str = "cluster.local"
    ttl: int = 5


class Resolver(Protocol):
    """Answers questions about names outside the zone."""

    async def resolve(self, request: Forward, *, tcp: bool = False) -> bytes:
        """The answer's bytes."""


class DnsServer:
    """Serves a zone between `start` and `close`."""

    def __init__(self, options: DnsOptions, zone: Zone, resolver: Resolver) -> None:
        self._options = options
        self._responder = Responder(zone)
        self._resolver = resolver
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._connections = 0

    async def start(self) -> None:
        """Bind every address. Raises OSError, with the address in its text, if one is not available."""
        for address in self._options.addresses:
            await self._bind(address)

    async def _bind(self, address: str) -> None:
        # Port 0 takes a port that is free for UDP. It may be in use for TCP: then try another one.
        for attempt in reversed(range(1 if self._options.port else _PORT_TRIES)):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            udp = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
            try:
                udp.bind((address, self._options.port))
                server = await asyncio.start_server(self._serve_tcp, address, udp.getsockname()[1], reuse_address=True)
            except OSError as error:
                udp.close()
                if attempt:
                    continue
                raise OSError(error.errno, f"DNS cannot listen on {address}:{self._options.port}: {error}") from error
            self._sockets.append(udp)
            self._servers.append(server)
            asyncio.get_running_loop().add_reader(udp, self._receive, udp)
            return

    @property
    def port(self) -> int:
        """The port in use; with port 0 the kernel chose it."""
        return int(self._sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Stop listening and drop questions that are being forwarded."""
        for udp in self._sockets:
            asyncio.get_running_loop().remove_reader(udp)
            udp.close()
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _receive(self, udp: socket.socket) -> None:
        """Answer the packets that have arrived, a bounded number at once so that other tasks get a turn."""
        for _ in range(_BATCH):
            try:
                packet, sender = udp.recvfrom(4096)
            except BlockingIOError:
                return
            except OSError as error:
                log.debug("receive: %s", error)
                return
            answer = self._responder.respond(packet)
            if isinstance(answer, Forward):
                self._start(self._forward_udp(udp, answer, sender))
            elif answer is not None:
                _send(udp, answer, sender)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="dns: forward")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forward_udp(self, udp: socket.socket, request: Forward, sender: Any) -> None:
        _send(udp, await self._resolver.resolve(request), sender)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._connections >= _TCP_CONNECTIONS:
            writer.close()
            return
        self._connections += 1
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            log.debug("TCP client: %s", error or type(error).__name__)
        finally:
            self._connections -= 1
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(_TCP_IDLE):
            length = int.from_bytes(await reader.readexactly(2), "big")
            packet = await reader.readexactly(length)
        answer = self._responder.respond(packet, tcp=True)
        if isinstance(answer, Forward):
            answer = await self._resolver.resolve(answer, tcp=True)
        if answer is None:
            return False
        writer.write(len(answer).to_bytes(2, "big") + answer)
        await writer.drain()
        return True


def _send(udp: socket.socket, answer: bytes, sender: Any) -> None:
    # Datagrams may be lost anyway; a full buffer is treated the same way.
    with contextlib.suppress(OSError):
        udp.sendto(answer, sender)
