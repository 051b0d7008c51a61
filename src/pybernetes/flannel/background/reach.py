"""Reachability of peers: a periodic ICMP echo request to each public address, for the metrics.

One raw socket per family serves all peers, so a round costs one packet and its answer per peer. Nothing else depends
on the result: a firewall between nodes may well drop such packets.
"""

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Callable, Iterable, Mapping

from pybernetes.flannel.config import IPAddress
from pybernetes.flannel.leases.lease import Lease
from pybernetes.linux import netns

#: Echo request, echo reply, and protocol number, by family.
_TYPES = {4: (8, 0, socket.IPPROTO_ICMP), 6: (128, 129, socket.IPPROTO_ICMPV6)}
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_HEADER = struct.Struct("!BBHHH")
_BATCH = 32


def echo(version: int, ident: int, sequence: int, payload: bytes = b"flannel") -> bytes:
    """An echo request (RFC 792, RFC 4443). For ICMPv6 the kernel fills the checksum in."""
    request = _TYPES[version][0]
    bare = _HEADER.pack(request, 0, 0, ident, sequence) + payload
    if version == 6:
        return bare
    return _HEADER.pack(request, 0, checksum(bare), ident, sequence) + payload


def checksum(data: bytes) -> int:
    """The internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def is_answer(version: int, ident: int, sequence: int, packet: bytes) -> bool:
    """Whether a packet from a raw socket answers our request; an IPv4 one begins with its IP header."""
    return answered(version, ident, packet) == sequence


def answered(version: int, ident: int, packet: bytes) -> int | None:
    """The sequence number of the request that a packet answers; None if it answers no request of `ident`."""
    if version == 4:
        packet = packet[(packet[0] & 0x0F) * 4 :] if packet else b""
    if len(packet) < _HEADER.size:
        return None
    kind, code, _, who, which = _HEADER.unpack_from(packet)
    return which if (kind, code, who) == (_TYPES[version][1], 0, ident) else None


class Reachability:
    """Sends requests to the peers in rounds."""

    def __init__(
        self, peers: Callable[[], Iterable[Lease]], target: str | None = None, *, every: float = 15.0, wait: float = 1.0
    ) -> None:
        self._peers = peers
        self._netns = target
        self._every = every
        self._wait = wait
        self._ident = os.getpid() & 0xFFFF
        self._sequence = 0
        self.answered: Mapping[str, float] = {}
        """1 for each peer all of whose addresses answered, else 0."""
        self.seconds: Mapping[str, float] = {}
        """The slowest of its answers."""

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.round()
            await asyncio.sleep(self._every if self.answered else min(1.0, self._every))

    async def round(self) -> None:
        """Ask each peer once."""
        self._sequence = (self._sequence + 1) & 0xFFFF
        wanted = [(lease.node, part.public_ip) for lease in self._peers() for part in lease.families]
        found: dict[IPAddress, float] = {}
        for version in {address.version for _, address in wanted}:
            found |= await self._ask(version, [a for _, a in wanted if a.version == version])
        answered: dict[str, float] = {}
        seconds: dict[str, float] = {}
        for node, address in wanted:
            took = found.get(address)
            answered[node] = min(answered.get(node, 1.0), 0.0 if took is None else 1.0)
            if took is not None:
                seconds[node] = max(seconds.get(node, 0.0), took)
        self.answered, self.seconds = answered, seconds

    async def _ask(self, version: int, addresses: list[IPAddress]) -> dict[IPAddress, float]:
        loop = asyncio.get_running_loop()
        try:
            raw = netns.run_in(self._netns, lambda: raw_socket(version))
        except PermissionError:
            return {}
        with raw:
            raw.setblocking(False)
            sent: dict[str, tuple[IPAddress, float]] = {}
            found: dict[IPAddress, float] = {}

            def receive() -> None:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        packet, (sender, *_) = raw.recvfrom(512)
                        asked = sent.get(sender)
                        if asked and is_answer(version, self._ident, self._sequence, packet):
                            found.setdefault(asked[0], loop.time() - asked[1])

            loop.add_reader(raw, receive)
            try:
                for place, address in enumerate(addresses):
                    sent[str(address)] = (address, loop.time())
                    with contextlib.suppress(OSError):
                        raw.sendto(echo(version, self._ident, self._sequence), (str(address), 0))
                    if place % _BATCH == _BATCH - 1:
                        await asyncio.sleep(0.005)
                deadline = loop.time() + self._wait
                while len(found) < len(sent) and loop.time() < deadline:
                    await asyncio.sleep(0.01)
            finally:
                loop.remove_reader(raw)
        return found


def raw_socket(version: int) -> socket.socket:
    """For echo requests and their answers."""
    return socket.socket(_FAMILIES[version], socket.SOCK_RAW, _TYPES[version][2])
