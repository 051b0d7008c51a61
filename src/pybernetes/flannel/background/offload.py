"""Detects network cards that compute wrong checksums for packets inside a VXLAN, and disables the offload.

Some drivers announce that they fill in the checksum of a packet in a tunnel and get it wrong. Pings pass then, and TCP
does not. The known workaround is `ethtool -K flannel.1 tx-checksum-ip-generic off`; here a probe finds out whether it
is needed (docs/decisions/0008-checksum-probe.md):

| packet through the tunnel to a closed TCP port of the peer's end | its checksum | an answer shows that |
|---|---|---|
| a plain connection attempt | computed by the device, as for every pod | the device is right |
| the same packet, from a raw socket | computed here | the peer answers such packets |

If only the second kind is answered, repeatedly, the offload of the device is disabled. It stays disabled only if the
first kind is answered from then on.
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import random
import socket
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pybernetes.flannel.background.reach import checksum
from pybernetes.linux import ethtool, netns
from pybernetes.linux.errors import LinuxError

log = logging.getLogger(__name__)

Verdict = Literal["right", "wrong", "unknown"]

#: The port multiplexer of RFC 1078: no program listens there.
_PORT = 1
_TRIES = 3
_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
_TCP = struct.Struct("!HHIIBBHHH")
_SYN, _RST = 0x02, 0x04
#: Results of a connection attempt that the peer answered.
_ANSWERS = (0, errno.ECONNREFUSED, errno.ECONNRESET)
_RETRY_FIRST, _RETRY_MAX = 15.0, 600.0
_ASKED = 3


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A device of ours and the peers' ends that are reached through it."""

    name: str
    index: int
    underlay: int
    """Index of the interface under it."""
    own: str
    ends: tuple[str, ...]

    @property
    def device(self) -> tuple[str, int, int]:
        """The key of a verdict."""
        return self.name, self.index, self.underlay


def syn(source: str, target: str, port: int, sequence: int) -> bytes:
    """The TCP header of a connection attempt, its checksum written (RFC 9293)."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(target).packed
    bare = _TCP.pack(port, _PORT, sequence, 0, 5 << 4, _SYN, 1024, 0, 0)
    pseudo = ends + (
        struct.pack("!IHBB", len(bare), 0, 0, 6) if ":" in source else struct.pack("!BBH", 0, 6, len(bare))
    )
    return _TCP.pack(port, _PORT, sequence, 0, 5 << 4, _SYN, 1024, checksum(pseudo + bare), 0)


def answers(version: int, packet: bytes) -> int | None:
    """The port of ours that a TCP packet from the probed port answers; None for any other packet."""
    if version == 4:
        packet = packet[(packet[0] & 0x0F) * 4 :] if packet else b""
    if len(packet) < _TCP.size:
        return None
    source, target, *_ = _TCP.unpack_from(packet)
    return target if source == _PORT else None


def verdict(by_device: int, by_hand: int) -> Verdict:
    """The verdict from the number of answers to each kind, out of three."""
    if by_device:
        return "right"
    return "wrong" if by_hand == _TRIES else "unknown"


class Prober:
    """Sends both kinds of packets. `wait`: seconds to wait for answers."""

    def __init__(self, target: str | None, rng: random.Random, *, wait: float = 1.0) -> None:
        self._netns = target
        self._rng = rng
        self._wait = wait

    async def probe(self, own: str, end: str) -> Verdict:
        """Ask one peer's end."""
        by_device, by_hand = await asyncio.gather(self._connect(end), self._by_hand(own, end))
        return verdict(by_device, by_hand)

    async def _connect(self, end: str) -> int:
        return sum(await asyncio.gather(*(self._attempt(end) for _ in range(_TRIES))))

    async def _attempt(self, end: str) -> bool:
        family = _FAMILIES[6 if ":" in end else 4]
        with netns.run_in(self._netns, lambda: socket.socket(family, socket.SOCK_STREAM)) as attempt:
            attempt.setblocking(False)
            try:
                async with asyncio.timeout(self._wait):
                    await asyncio.get_running_loop().sock_connect(attempt, (end, _PORT))
            except (TimeoutError, OSError) as error:
                return isinstance(error, OSError) and error.errno in _ANSWERS
            return True

    async def _by_hand(self, own: str, end: str) -> int:
        version = 6 if ":" in end else 4
        ports = set(self._rng.sample(range(20000, 30000), _TRIES))
        got: set[int] = set()
        loop = asyncio.get_running_loop()
        try:
            raw = netns.run_in(
                self._netns, lambda: socket.socket(_FAMILIES[version], socket.SOCK_RAW, socket.IPPROTO_TCP)
            )
        except PermissionError:
            return 0
        with raw, contextlib.suppress(OSError):
            raw.setblocking(False)
            raw.bind((own, 0))
            raw.connect((end, 0))  # so that it receives from this peer only

            def receive() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        port = answers(version, raw.recv(512))
                        if port in ports:
                            got.add(port)

            loop.add_reader(raw, receive)
            try:
                for port in ports:
                    raw.send(syn(own, end, port, self._rng.getrandbits(32)))
                deadline = loop.time() + self._wait
                while len(got) < _TRIES and loop.time() < deadline:
                    await asyncio.sleep(0.01)
            finally:
                loop.remove_reader(raw)
        return len(got)


class Offload:
    """Probes each tunnel device once it has peers, and again when it or the interface under it is replaced."""

    def __init__(self, prober: Prober, rng: random.Random, target: str | None = None) -> None:
        self._prober = prober
        self._rng = rng
        self._netns = target
        self._tunnels: Sequence[Tunnel] = ()
        self._known: dict[tuple[str, int, int], Verdict] = {}
        self._off: set[str] = set()
        self._new = asyncio.Event()

    @property
    def switched_off(self) -> Mapping[str, float]:
        """For the metrics: 1 for each device whose offload is disabled here, 0 for the others."""
        return {tunnel.name: float(tunnel.name in self._off) for tunnel in self._tunnels}

    def see(self, tunnels: Sequence[Tunnel]) -> list[str]:
        """The tunnels as they are now. Disables offload again if another program enabled it; returns that in words."""
        self._tunnels = tunnels
        self._known = {tunnel.device: self._known[tunnel.device] for tunnel in tunnels if tunnel.device in self._known}
        if any(tunnel.ends and tunnel.device not in self._known for tunnel in tunnels):
            self._new.set()
        done = []
        for tunnel in tunnels:
            if tunnel.name in self._off and ethtool.tx_checksum(tunnel.name, self._netns):
                ethtool.set_tx_checksum(tunnel.name, False, self._netns)
                done.append(f"checksum offload of {tunnel.name} disabled again: the network card computes them wrong")
        return done

    async def run(self) -> None:
        """Until cancelled."""
        pause = _RETRY_FIRST
        while True:
            unknown = await self.round()
            pause = min(pause * 2, _RETRY_MAX) if unknown else _RETRY_MAX
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._new.wait()
                    pause = _RETRY_FIRST
            self._new.clear()

    async def round(self) -> bool:
        """Probe devices without a verdict; whether some still have none."""
        unknown = False
        for tunnel in self._tunnels:
            if tunnel.ends and tunnel.device not in self._known:
                try:
                    found = await self._examine(tunnel)
                except LinuxError as error:
                    log.debug("%s", error)
                    found = "unknown"
                if found != "unknown":
                    self._known[tunnel.device] = found
                unknown = unknown or found == "unknown"
        return unknown

    async def _examine(self, tunnel: Tunnel) -> Verdict:
        if not ethtool.tx_checksum(tunnel.name, self._netns):
            return "right"  # it is disabled already
        found: Verdict = "unknown"
        for end in self._rng.sample(tunnel.ends, min(_ASKED, len(tunnel.ends))):
            found = await self._prober.probe(tunnel.own, end)
            if found == "wrong":
                found = await self._disable_offload(tunnel, end)
            if found != "unknown":
                return found
        return found

    async def _disable_offload(self, tunnel: Tunnel, end: str) -> Verdict:
        """Disable the offload, if that helps; probe again first, since packets get lost."""
        if (again := await self._prober.probe(tunnel.own, end)) != "wrong":
            return again
        ethtool.set_tx_checksum(tunnel.name, False, self._netns)
        if await self._prober.probe(tunnel.own, end) != "right":
            ethtool.set_tx_checksum(tunnel.name, True, self._netns)
            return "unknown"
        self._off.add(tunnel.name)
        log.warning(
            "the network card under %s computes wrong checksums for packets in the tunnel (only pings reached %s): "
            "offload disabled, as by 'ethtool -K %s tx-checksum-ip-generic off'",
            tunnel.name,
            end,
            tunnel.name,
        )
        return "wrong"
