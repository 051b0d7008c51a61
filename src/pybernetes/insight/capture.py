"""Packet taps on links of several namespaces, to find out where a marked packet is lost.

A tap sees incoming packets before the packet filter, and outgoing packets after it. So if a packet is seen on a link
and nowhere after it, a rule behind that link dropped it.
"""

import asyncio
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from pybernetes.linux import netns

_ALL = 0x0003
_OUTGOING = 4


@dataclass(frozen=True, slots=True)
class Point:
    """A link of a node."""

    node: str
    link: str


class Taps:
    """Captures at the points from construction until the context exits."""

    def __init__(self, points: Iterable[Point], namespaces: dict[str, str]) -> None:
        self._sockets: dict[Point, socket.socket] = {}
        for point in dict.fromkeys(points):
            with netns.enter(namespaces[point.node]):
                tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
            self._sockets[point] = tap
            try:
                tap.bind((point.link, _ALL))
            except OSError:
                tap.close()
                del self._sockets[point]
                continue
            tap.setblocking(False)

    def __enter__(self) -> "Taps":
        return self

    def __exit__(self, *_: object) -> None:
        for tap in self._sockets.values():
            tap.close()

    async def seen(self, tokens: Iterable[bytes], seconds: float) -> dict[bytes, set[tuple[Point, str]]]:
        """For each token, where it was seen and whether `in` or `out`, within `seconds`."""
        found: dict[bytes, set[tuple[Point, str]]] = {token: set() for token in tokens}
        await asyncio.sleep(seconds)
        for point, tap in self._sockets.items():
            for packet, direction in _drain(tap):
                for token in found:
                    if token in packet:
                        found[token].add((point, direction))
        return found


def _drain(tap: socket.socket) -> Iterable[tuple[bytes, str]]:
    while True:
        try:
            packet, address = tap.recvfrom(65536)
        except BlockingIOError:
            return
        yield packet, "out" if address[2] == _OUTGOING else "in"
