"""Whether the largest packets that a node sends reach its peers whole.

A tunnel's MTU follows from that of the interface under it. Where the way is narrower, large packets are lost on it or
cut in pieces, while pings and handshakes pass; it shows as downloads that hang. So each peer gets, when it comes and
seldom afterwards, one echo request of full size that may not be cut, beside a small one. Nothing depends on what is
found: it is reported, with the size that does pass. `pybernetes network check` measures the same through the tunnel.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pybernetes.flannel.background.reach import answered, echo, raw_socket
from pybernetes.flannel.config import IPAddress
from pybernetes.linux import netns

#: Sizes that are common on the way: Ethernet, PPPoE, tunnels and clouds, the least that IPv6 and IPv4 allow.
_COMMON = (8951, 8900, 4074, 1500, 1492, 1480, 1476, 1460, 1450, 1440, 1430, 1420, 1400, 1380, 1350, 1280, 576)
_SMALL = 64
_HEADERS = {4: 28, 6: 48}
#: level, name and value of "never cut, whatever is known of the way" (ip(7), ipv6(7)).
_WHOLE = {4: (socket.IPPROTO_IP, 10, 3), 6: (socket.IPPROTO_IPV6, 23, 3)}
_RETRY_FIRST = 15.0


@dataclass(frozen=True, slots=True)
class Way:
    """To whom, and how large packets get."""

    node: str
    address: IPAddress
    size: int
    """Of the outer packet, its IP header included."""
    overhead: int
    """Of it, what encapsulation takes, where Backend.MTU says how large the rest is; else 0."""
    link: str


def sentence(way: Way, passes: int) -> str:
    """What is wrong, and what mends it."""
    lost = (
        f"{way.node}: packets of {way.size} bytes from {way.link} do not reach {way.address} whole,"
        f" those of {passes} do"
    )
    if way.overhead:
        return f"{lost}; set Backend.MTU to {passes - way.overhead}, or mend the MTU on the way"
    return f"{lost}; set the MTU of {way.link} to {passes}, or mend the MTU on the way"


def ladder(size: int) -> list[int]:
    """Sizes to try when `size` does not pass."""
    return [common for common in _COMMON if common < size]


class PathMtu:
    """Tests the way to each peer."""

    def __init__(
        self, ways: Callable[[], Sequence[Way]], target: str | None = None, *, every: float = 600.0, wait: float = 1.0
    ) -> None:
        self._ways = ways
        self._netns = target
        self._every = every
        self._wait = wait
        self._ident = (os.getpid() ^ 0x5A5A) & 0xFFFF
        self._news = asyncio.Event()
        self._seen: Sequence[Way] = ()
        self.passes: Mapping[Way, int] = {}
        """The size that passes, for each way that answers."""

    @property
    def problems(self) -> list[str]:
        """A sentence for each way that is too narrow."""
        return [sentence(way, size) for way, size in self.passes.items() if size < way.size]

    @property
    def sizes(self) -> dict[str, float]:
        """For the metrics: what passes to each peer, of its families the least."""
        found: dict[str, float] = {}
        for way, size in self.passes.items():
            found[way.node] = min(found.get(way.node, size), size)
        return found

    def look(self) -> None:
        """Ways may have come or changed."""
        if set(self._ways()) - set(self._seen):
            self._news.set()

    async def run(self, changed: Callable[[], None]) -> None:
        """Until cancelled; `changed` is called when problems are others."""
        pause = _RETRY_FIRST
        while True:
            before = self.problems
            await self.round()
            if self.problems != before:
                changed()
            unknown = len(self.passes) < len(self._seen)
            pause = min(pause * 2, self._every) if unknown else self._every
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._news.wait()
                    pause = _RETRY_FIRST
            self._news.clear()

    async def round(self) -> None:
        """Test every way once."""
        self._seen = ways = list(self._ways())
        passes: dict[Way, int] = {}
        for version in {way.address.version for way in ways}:
            mine = [way for way in ways if way.address.version == version]
            got = await self._ask(version, [(way.address, size) for way in mine for size in (_SMALL, way.size)])
            passes |= {way: way.size for way in mine if (way.address, way.size) in got}
            narrow = [way for way in mine if way not in passes and (way.address, _SMALL) in got]
            # A single lost packet is no narrow way, so the full size gets another try among the others.
            tries = [(way.address, size) for way in narrow for size in (way.size, *ladder(way.size))]
            got |= await self._ask(version, tries) if tries else set()
            for way in narrow:
                passes[way] = max(size for address, size in got if address == way.address)
        self.passes = passes

    async def _ask(self, version: int, probes: list[tuple[IPAddress, int]]) -> set[tuple[IPAddress, int]]:
        """Those that were answered."""
        loop = asyncio.get_running_loop()
        try:
            raw = netns.run_in(self._netns, lambda: raw_socket(version))
        except PermissionError:
            return set()
        with raw:
            raw.setblocking(False)
            raw.setsockopt(*_WHOLE[version])
            got: set[tuple[IPAddress, int]] = set()

            def receive() -> None:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        packet, (sender, *_) = raw.recvfrom(65536)
                        number = answered(version, self._ident, packet)
                        if number is not None and number < len(probes) and sender == str(probes[number][0]):
                            got.add(probes[number])

            loop.add_reader(raw, receive)
            try:
                for number, (address, size) in enumerate(probes):
                    payload = bytes(max(size - _HEADERS[version], 0))
                    with contextlib.suppress(OSError):
                        raw.sendto(echo(version, self._ident, number, payload), (str(address), 0))
                    if number % 16 == 15:
                        await asyncio.sleep(0.005)
                deadline = loop.time() + self._wait
                while len(got) < len(set(probes)) and loop.time() < deadline:
                    await asyncio.sleep(0.01)
            finally:
                loop.remove_reader(raw)
        return got
