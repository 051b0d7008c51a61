"""Path MTU: whether the largest packets that a node sends reach its peers unfragmented.

A tunnel's MTU follows from the MTU of the interface under it. If the MTU on the path is smaller, large packets are lost
or fragmented, while pings and handshakes pass, and downloads hang. So each peer gets one small echo request and one of
full size that must not be fragmented, when it appears and every few minutes afterwards. The result is only reported,
with the size that does pass. `pybernetes network check` measures the same through the tunnel.
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

#: Common sizes: Ethernet, PPPoE, tunnels and clouds, the minimum of IPv6 and IPv4.
_COMMON = (8951, 8900, 4074, 1500, 1492, 1480, 1476, 1460, 1450, 1440, 1430, 1420, 1400, 1380, 1350, 1280, 576)
_SMALL = 64
_HEADERS = {4: 28, 6: 48}
#: Level, name and value of the option "never fragment, and ignore the known path MTU" (ip(7), ipv6(7)).
_WHOLE = {4: (socket.IPPROTO_IP, 10, 3), 6: (socket.IPPROTO_IPV6, 23, 3)}
_RETRY_FIRST = 15.0


@dataclass(frozen=True, slots=True)
class PeerPath:
    """A peer's address, and the size of the largest packets sent there."""

    node: str
    address: IPAddress
    size: int
    """Size of the outer packet, including its IP header."""
    overhead: int
    """Size of the encapsulation, if Backend.MTU sets the size of the rest; otherwise 0."""
    link: str


def sentence(path: PeerPath, passes: int) -> str:
    """The problem, and how to fix it."""
    lost = (
        f"{path.node}: packets of {path.size} bytes from {path.link} do not reach {path.address} unfragmented,"
        f" those of {passes} do"
    )
    if path.overhead:
        return f"{lost}; set Backend.MTU to {passes - path.overhead}, or raise the MTU on the path"
    return f"{lost}; set the MTU of {path.link} to {passes}, or raise the MTU on the path"


def ladder(size: int) -> list[int]:
    """Sizes to try when `size` does not pass."""
    return [common for common in _COMMON if common < size]


class PathMtu:
    """Probes the path to each peer."""

    def __init__(
        self,
        paths: Callable[[], Sequence[PeerPath]],
        target: str | None = None,
        *,
        every: float = 600.0,
        wait: float = 1.0,
    ) -> None:
        self._paths = paths
        self._netns = target
        self._every = every
        self._wait = wait
        self._ident = (os.getpid() ^ 0x5A5A) & 0xFFFF
        self._new = asyncio.Event()
        self._seen: Sequence[PeerPath] = ()
        self.passes: Mapping[PeerPath, int] = {}
        """The largest size that passes, for each path that answers."""

    @property
    def problems(self) -> list[str]:
        """One sentence for each path whose MTU is too small."""
        return [sentence(path, size) for path, size in self.passes.items() if size < path.size]

    @property
    def sizes(self) -> dict[str, float]:
        """For the metrics: the size that passes to each peer, the smaller one of its families."""
        found: dict[str, float] = {}
        for path, size in self.passes.items():
            found[path.node] = min(found.get(path.node, size), size)
        return found

    def look(self) -> None:
        """Ways may have been added or changed."""
        if set(self._paths()) - set(self._seen):
            self._new.set()

    async def run(self, changed: Callable[[], None]) -> None:
        """Until cancelled; calls `changed` when the problems change."""
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
                    await self._new.wait()
                    pause = _RETRY_FIRST
            self._new.clear()

    async def round(self) -> None:
        """Test every path once."""
        self._seen = paths = list(self._paths())
        passes: dict[PeerPath, int] = {}
        for version in {path.address.version for path in paths}:
            mine = [path for path in paths if path.address.version == version]
            got = await self._ask(version, [(path.address, size) for path in mine for size in (_SMALL, path.size)])
            passes |= {path: path.size for path in mine if (path.address, path.size) in got}
            narrow = [path for path in mine if path not in passes and (path.address, _SMALL) in got]
            # A single lost packet does not prove a small MTU, so the full size is tried again with the other sizes.
            tries = [(path.address, size) for path in narrow for size in (path.size, *ladder(path.size))]
            got |= await self._ask(version, tries) if tries else set()
            for path in narrow:
                passes[path] = max(size for address, size in got if address == path.address)
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
