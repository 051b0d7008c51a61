"""Two nodes whose network cards are TAP devices; threads act as drivers, and one computes wrong checksums in tunnels.

A TAP device may offer to compute checksums. The kernel then passes packets with a virtio_net_hdr: it has the
position of the checksum and the range to sum up, as for a network card.
"""

import contextlib
import fcntl
import os
import select
import struct
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from pybernetes.flannel.background.reach import checksum
from pybernetes.linux import addr, fdb, link, neigh, netns, route
from pybernetes.linux.rtnl import Netlink

_TUNSETIFF, _TUNSETOFFLOAD = 0x400454CA, 0x400454D0
_TAP, _NO_PI, _VNET_HDR = 0x2, 0x1000, 0x4000
_NEEDS_CHECKSUM = 1
_HEADER = struct.Struct("=BBHHHH")  # flags, segmentation, header length, segment size, checksum start and offset
#: The payload of the outer UDP packet starts after these offsets, in IPv4 and IPv6.
_OUTER = 60


def tap(space: str) -> int:
    """`eth0` of a namespace, as the descriptor by which its driver reads and writes frames."""
    with netns.enter(space):
        fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", b"eth0", _TAP | _NO_PI | _VNET_HDR))
        fcntl.ioctl(fd, _TUNSETOFFLOAD, 1)
    return fd


@dataclass
class Card:
    """The driver of a node's card."""

    broken: bool = True
    offloaded: int = 0
    """How many checksums inside a tunnel the kernel left to it."""
    _stop: threading.Event = field(default_factory=threading.Event)

    def carry(self, source: int, target: int) -> None:
        """Frames from one card to the other, until stopped."""
        while not self._stop.is_set():
            if select.select([source], [], [], 0.1)[0]:
                with contextlib.suppress(OSError):  # a card that is not up yet loses frames
                    packet = os.read(source, 1 << 17)
                    frame = self._finished(bytearray(packet[_HEADER.size :]), *_HEADER.unpack_from(packet))
                    os.write(target, bytes(_HEADER.size) + frame)

    def _finished(self, frame: bytearray, flags: int, *rest: int) -> bytes:
        start, offset = rest[-2:]
        if flags & _NEEDS_CHECKSUM:
            value = checksum(bytes(frame[start:]))
            if start > _OUTER:
                self.offloaded += 1
                value ^= 0x1234 if self.broken else 0
            struct.pack_into("!H", frame, start + offset, value)
        return bytes(frame)

    def stop(self) -> None:
        self._stop.set()


@dataclass
class Pair:
    """Two nodes with addresses 192.0.2.1 and .2, and a tunnel between them that the test configures."""

    spaces: tuple[str, str]
    card: Card
    """The card of the first node, which is broken; that of the second is not."""


@contextmanager
def pair() -> Iterator[Pair]:
    """The two nodes; they are removed at the end of the context."""
    tag = f"pbt-{uuid.uuid4().hex[:8]}"
    made = Pair((f"{tag}-a", f"{tag}-b"), Card())
    for space in made.spaces:
        netns.create(space)
    cards = [tap(space) for space in made.spaces]
    drivers = [made.card, Card(broken=False)]
    ends = [cards, cards[::-1]]
    threads = [threading.Thread(target=driver.carry, args=way) for driver, way in zip(drivers, ends, strict=True)]
    try:
        for thread in threads:
            thread.start()
        for number, space in enumerate(made.spaces, 1):
            _set_up(space, number)
        yield made
    finally:
        for driver in drivers:
            driver.stop()
        for thread in threads:
            thread.join()
        for fd in cards:
            os.close(fd)
        for space in made.spaces:
            netns.delete(space)


def _set_up(space: str, number: int) -> None:
    with Netlink(space) as nl:
        link.set_up(nl, "lo")
        link.set_up(nl, "eth0")
        eth0 = link.link(nl, "eth0").index
        addr.add(nl, eth0, f"192.0.2.{number}/24")
        addr.add(nl, eth0, f"2001:db8::{number}/64")


def tunnel(space: str, number: int, other: int, version: int = 4) -> int:
    """Create a VXLAN device like flannel's; returns its index."""
    name, mac = ("flannel.1", "02:00:00:00:00:{:02x}") if version == 4 else ("flannel-v6.1", "02:00:00:00:06:{:02x}")
    outer, inner, bits = ("192.0.2.{}", "10.244.{}.0", 24) if version == 4 else ("2001:db8::{}", "fd00:244:0:{}::", 64)
    with Netlink(space) as nl:
        device = link.add_vxlan(
            nl,
            name,
            1,
            port=8472,
            local=outer.format(number),
            device=link.link(nl, "eth0").index,
            mtu=1500 - (50 if version == 4 else 70),
            mac=mac.format(number),
            up=True,
        ).index
        addr.add(nl, device, f"{inner.format(number)}/{32 if version == 4 else 128}")
        end = inner.format(other)
        nl.request(neigh.request("replace", neigh.Neighbour(device, end, mac.format(other))))
        nl.request(fdb.request("replace", fdb.FdbEntry(device, mac.format(other), outer.format(other))))
        route.add(nl, route.Route(f"{end}/{bits}", gateway=end, device=device, onlink=True))
    return device
