"""Forwards questions about names outside the zone to upstream nameservers.

Each server is tried in turn, by the protocol that the client used: a client whose UDP answer was truncated asks again
over TCP. The number of forwarded questions is bounded, so that a dead nameserver cannot exhaust the memory; beyond
the bound, clients get SERVFAIL at once.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from pybernetes.dns import wire
from pybernetes.dns.answers import Forward

log = logging.getLogger(__name__)

_PENDING_MAX = 1000


@dataclass(frozen=True, slots=True)
class Upstream:
    """One nameserver."""

    host: str
    port: int = 53


def read_resolv_conf(path: Path) -> list[Upstream]:
    """The nameservers of a resolv.conf; malformed lines are skipped."""
    found = []
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return []
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            found.append(Upstream(words[1].partition("%")[0]))
    return found


class _Exchange(asyncio.DatagramProtocol):
    """One question and its answer. Packets that do not answer this question are ignored."""

    def __init__(self, packet: bytes, question: bytes) -> None:
        self._packet = packet
        self._question = question
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.DatagramTransport", transport).sendto(self._packet)

    def datagram_received(self, data: bytes, addr: object) -> None:
        size = wire.HEADER.size
        same_id = data[:2] == self._packet[:2]
        same_question = data[size : size + len(self._question)].lower() == self._question.lower()
        if same_id and same_question and not self.answer.done():
            self.answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)


class Forwarder:
    """Resolves names through upstream servers."""

    def __init__(
        self, upstreams: Sequence[Upstream], *, timeout: float = 2.0, rng: random.Random | None = None
    ) -> None:
        self._upstreams = list(upstreams)
        self._timeout = timeout
        self._random = rng or random.SystemRandom()
        self._pending = 0

    async def resolve(self, request: Forward, *, tcp: bool = False) -> bytes:
        """The answer of the first upstream that gives one; SERVFAIL if none does."""
        query = request.query
        if not self._upstreams or self._pending >= _PENDING_MAX:
            return wire.write_answer(query, wire.SERVFAIL, request.prefix, authoritative=False)
        name = request.alias or query.name
        question = wire.write_name(name) + query.question[-4:] if request.alias else query.question
        ident = self._random.getrandbits(16)
        edns = b"\0" + wire.OPT.to_bytes(2, "big") + wire.MAX_UDP.to_bytes(2, "big") + bytes(6) if query.edns else b""
        packet = wire.HEADER.pack(ident, wire.RD, 1, 0, 0, 1 if edns else 0) + question + edns
        self._pending += 1
        try:
            answer = await self._ask_all(packet, question, tcp)
        finally:
            self._pending -= 1
        if answer is None:
            return wire.write_answer(query, wire.SERVFAIL, request.prefix, authoritative=False)
        if request.alias:
            return self._with_alias(request, answer, question)
        return query.id.to_bytes(2, "big") + answer[2:]

    async def _ask_all(self, packet: bytes, question: bytes, tcp: bool) -> bytes | None:
        for upstream in self._upstreams:
            try:
                async with asyncio.timeout(self._timeout):
                    return await (self._tcp if tcp else self._udp)(upstream, packet, question)
            except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
                log.debug("nameserver %s: %s", upstream.host, error or type(error).__name__)
        return None

    async def _udp(self, upstream: Upstream, packet: bytes, question: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Exchange(packet, question), remote_addr=(upstream.host, upstream.port)
        )
        try:
            return await protocol.answer
        finally:
            transport.close()

    async def _tcp(self, upstream: Upstream, packet: bytes, question: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(upstream.host, upstream.port)
        try:
            writer.write(len(packet).to_bytes(2, "big") + packet)
            length = int.from_bytes(await reader.readexactly(2), "big")
            answer = await reader.readexactly(length)
            if answer[:2] != packet[:2] or len(answer) < wire.HEADER.size:
                raise ValueError("answer to another question")
            return answer
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _with_alias(self, request: Forward, answer: bytes, question: bytes) -> bytes:
        """Put the zone's CNAME before the records that the upstream returned for its target."""
        _, flags, _, count, _, _ = wire.HEADER.unpack_from(answer)
        records = _relocate(answer, wire.HEADER.size + len(question), count)
        rcode = flags & 0xF
        return wire.write_answer(
            request.query, rcode, [*request.prefix, *records], authoritative=False, size=request.query.udp_size
        )


_NAMES_IN_DATA = {wire.CNAME, wire.NS, wire.PTR}


def _relocate(packet: bytes, offset: int, count: int) -> list[wire.Record]:
    """The answer records of a packet, with names uncompressed so that they are valid in another packet."""
    records = []
    try:
        for _ in range(count):
            name, offset = wire.read_name(packet, offset)
            rtype = int.from_bytes(packet[offset : offset + 2], "big")
            ttl = int.from_bytes(packet[offset + 4 : offset + 8], "big")
            length = int.from_bytes(packet[offset + 8 : offset + 10], "big")
            start = offset + 10
            offset = start + length
            if offset > len(packet):
                break
            data = packet[start:offset]
            if rtype in _NAMES_IN_DATA:
                data = wire.write_name(wire.read_name(packet, start)[0])
            elif rtype not in (wire.A, wire.AAAA, wire.TXT):
                continue
            records.append(wire.Record(name, rtype, ttl, data))
    except wire.FormatError:
        return records
    return records
