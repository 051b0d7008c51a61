"""Captures packets on an interface and decodes them here, without any code of the project."""

from __future__ import annotations

import ipaddress
import socket
import struct
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from pybernetes.linux import netns

_EVERYTHING = 0x0003
_UDP = 17
_IPV4, _IPV6 = 0x0800, 0x86DD
_VALID_VNI = 0x08


@dataclass(frozen=True)
class Packet:
    """An IP packet in its frame; `ports` is set for UDP only."""

    macs: tuple[str, str]
    """Source and destination."""
    ips: tuple[str, str]
    protocol: int
    ports: tuple[int, int]
    payload: bytes
    """The data after the UDP header, or after the IP header if it is not UDP."""

    @property
    def vni(self) -> int:
        """The VNI of a VXLAN packet (RFC 7348)."""
        flags, _, rest = struct.unpack_from("!B3sI", self.payload)
        assert flags == _VALID_VNI
        return int(rest >> 8)

    @property
    def inner(self) -> Packet | None:
        """The packet in a VXLAN packet; None for another kind of frame."""
        return decode(self.payload[8:])

    @property
    def inner_ip(self) -> Packet | None:
        """The payload, decoded as an IP packet."""
        return decode_ip(self.payload, ("", ""))


def decode(frame: bytes) -> Packet | None:
    """An Ethernet frame; None when there is no IP in it."""
    target, source, kind = struct.unpack_from("!6s6sH", frame)
    return decode_ip(frame[14:], (source.hex(":"), target.hex(":"))) if kind in (_IPV4, _IPV6) else None


def decode_ip(data: bytes, macs: tuple[str, str]) -> Packet | None:
    """RFC 791, RFC 8200."""
    version, size, where = data[0] >> 4, 4, 12
    if version == 4:
        protocol, header = data[9], (data[0] & 15) * 4
        data = data[: int.from_bytes(data[2:4])]
    elif version == 6:
        protocol, header, size, where = data[6], 40, 16, 8
    else:
        return None
    ips = [str(ipaddress.ip_address(data[at : at + size])) for at in (where, where + size)]
    body, ports = data[header:], (0, 0)
    if protocol == _UDP:
        source_port, target_port = struct.unpack_from("!HH", body)
        body, ports = body[8:], (source_port, target_port)
    return Packet(macs, (ips[0], ips[1]), protocol, ports, body)


class Capture:
    """Captures a device in both directions while the context lasts."""

    def __init__(self, space: str, device: str = "eth0") -> None:
        self._space, self._device = space, device
        self.packets: list[Packet] = []

    def __enter__(self) -> Self:
        def make() -> socket.socket:
            made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERYTHING))
            made.bind((self._device, 0))
            return made

        self._socket = netns.run_in(self._space, make)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self._socket.setblocking(False)
        return self

    def read(self) -> None:
        """Decode what has arrived so far."""
        while True:
            try:
                packet = decode(self._socket.recv(65535))
            except BlockingIOError:
                return
            if packet is not None:
                self.packets.append(packet)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.read()
        self._socket.close()

    def between(self, source: str, target: str, port: int = 0) -> list[Packet]:
        """The packets from one address to another; with a port, the datagrams to that."""
        found = [packet for packet in self.packets if packet.ips == (source, target)]
        return [packet for packet in found if packet.ports[1] == port] if port else found

    def vxlan(self, source: str, target: str, port: int, inner: tuple[str, str]) -> list[Packet]:
        """The VXLAN packets from one node to another that carry a packet between these pods.

        The nodes' own probes go through the tunnel as well.
        """
        found = [(packet, packet.inner) for packet in self.between(source, target, port)]
        return [packet for packet, carried in found if carried is not None and carried.ips == inner]
