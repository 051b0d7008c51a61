"""Send echo requests (ping) to many targets at once from a network namespace, without a process for each.

There is one raw socket per source address. Each request carries a unique token, so that replies are matched safely and
a packet can be found in a capture. Don't Fragment is always set: packets that do not fit are lost, as with TCP.
"""

import asyncio
import os
import socket
import struct
import time
from collections.abc import Mapping

from pybernetes.linux import netns

_REQUEST, _REPLY = {4: 8, 6: 128}, {4: 0, 6: 129}
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
#: linux/in.h and linux/in6.h: set DF and ignore the cached path MTU.
_MTU_DISCOVER = {4: (socket.IPPROTO_IP, 10), 6: (socket.IPPROTO_IPV6, 23)}
_PROBE = 3
#: IP and ICMP headers.
HEADERS = {4: 28, 6: 48}
_TOKEN = 16


class Pinger:
    """Sends from one source address in one namespace."""

    def __init__(self, namespace: netns.Netns | None, source: str) -> None:
        self._version = 6 if ":" in source else 4
        with netns.enter(namespace):
            self._socket = socket.socket(_FAMILY[self._version], socket.SOCK_RAW, _PROTOCOL[self._version])
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(*_MTU_DISCOVER[self._version], _PROBE)
            self._socket.bind((source, 0))
        except OSError:
            self._socket.close()
            raise
        self._sent: dict[bytes, float] = {}
        self._answers: dict[bytes, asyncio.Future[float]] = {}
        asyncio.get_running_loop().add_reader(self._socket, self._read)

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()

    async def ping(self, target: str, *, size: int = 84, tries: int = 3, timeout: float = 0.4) -> float | None:
        """Seconds until the reply to an IP packet of `size` bytes; None if no reply came in time."""
        for _ in range(tries):
            token = os.urandom(_TOKEN)
            answer: asyncio.Future[float] = asyncio.get_running_loop().create_future()
            self._answers[token] = answer
            try:
                if not self.send(target, token, size):
                    return None
                return await asyncio.wait_for(answer, timeout)
            except TimeoutError:
                continue
            finally:
                self._answers.pop(token, None)
                self._sent.pop(token, None)
        return None

    def send(self, target: str, token: bytes, size: int = 84) -> bool:
        """Send one request that carries a token of 16 bytes. Returns whether the kernel accepted it."""
        body = token + bytes(max(0, size - HEADERS[self._version] - len(token)))
        packet = _packet(_REQUEST[self._version], body, checksum=self._version == 4)
        self._sent[token] = time.monotonic()
        try:
            self._socket.sendto(packet, (target, 0))
        except OSError:
            # Too large for the first link, no route, or rejected by a rule: in each case it does not arrive.
            return False
        return True

    def _read(self) -> None:
        while True:
            try:
                packet = self._socket.recv(65536)
            except (BlockingIOError, OSError):
                return
            start = (packet[0] & 0x0F) * 4 if self._version == 4 and packet else 0
            if len(packet) < start + 8 + _TOKEN or packet[start] != _REPLY[self._version]:
                continue
            token = packet[start + 8 : start + 8 + _TOKEN]
            answer = self._answers.get(token)
            if answer is not None and not answer.done():
                answer.set_result(time.monotonic() - self._sent[token])


def _packet(kind: int, body: bytes, *, checksum: bool) -> bytes:
    """An ICMP message; for ICMPv6 the kernel fills in the checksum."""
    head = struct.pack("!BBHHH", kind, 0, 0, os.getpid() & 0xFFFF, 1)
    total = _checksum(head + body) if checksum else 0
    return head[:2] + struct.pack("!H", total) + head[4:] + body


def _checksum(data: bytes) -> int:
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class Pingers:
    """The pingers of one check, opened when first needed."""

    def __init__(self, namespaces: Mapping[str, str]) -> None:
        self._namespaces = namespaces
        self._open: dict[tuple[str, str], Pinger | None] = {}

    def of(self, node: str, source: str) -> Pinger | None:
        """The pinger for `source` on a node; None if the node does not have this address."""
        key = (node, source)
        if key not in self._open:
            try:
                self._open[key] = Pinger(self._namespaces[node], source)
            except OSError:
                self._open[key] = None
        return self._open[key]

    def close(self) -> None:
        """Close all of them."""
        for pinger in self._open.values():
            if pinger is not None:
                pinger.close()
