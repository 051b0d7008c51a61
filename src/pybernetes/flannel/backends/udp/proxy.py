"""The udp backend's proxy: packets of a TUN device travel in UDP datagrams, one IP packet in each, as in Go flannel.

Two threads, one for each direction: packets from the TUN device go to the node whose subnet has the destination;
packets from the socket go to the TUN device. Threads are sufficient, since nearly all of the time is spent in system
calls, which release the interpreter. Three things keep these few: many datagrams per call (`batch.py`), large TCP
packets in one piece through the TUN device (`segments.py`), and letting the kernel
divide and join datagrams (UDP_SEGMENT, UDP_GRO).
"""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import struct
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from pybernetes.flannel.backends.udp import packets as packets
from pybernetes.flannel.backends.udp import segments as segments
from pybernetes.flannel.backends.udp.batch import UDP_GRO, UDP_SEGMENT, Receiver, Sender, SockAddr, sockaddr
from pybernetes.linux import link, netns
from pybernetes.linux.rtnl import Netlink

_VNET = segments.VNET.size
_BUFFER = 4 << 20
_KNOWN_MAX = 4096
#: Check for shutdown after this many batches.
_ROUNDS = 64
_SOL_RAW, _ICMP_FILTER = 255, 1


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """The proxy's configuration except its routes."""

    tun: str
    local: str
    """The address to receive at, which is also the outer source."""
    port: int
    mtu: int
    network: str
    """The pod network: a datagram with a packet to elsewhere is dropped."""
    netns: str | None = None


@dataclass(slots=True)
class Counters:
    """How many packets were dropped, and why."""

    unroutable: int = 0
    garbage: int = 0
    expired: int = 0
    unsent: int = 0


class Routes:
    """Subnet → the peer's address. Immutable: the threads switch to a new one."""

    def __init__(self, peers: Mapping[str, tuple[str, int]]) -> None:
        self._by_shift: dict[int, dict[int, tuple[SockAddr, tuple[str, int]]]] = {}
        self._known: dict[bytes, tuple[SockAddr, tuple[str, int]] | None] = {}
        for subnet, address in peers.items():
            net = ipaddress.IPv4Network(subnet)
            shift = 32 - net.prefixlen
            table = self._by_shift.setdefault(shift, {})
            table[int(net.network_address) >> shift] = (sockaddr(*address), address)

    def find(self, ip: bytes) -> tuple[SockAddr, tuple[str, int]] | None:
        """The address of the peer whose subnet has this IP, in the kernel's form and in Python's."""
        try:
            return self._known[ip]
        except KeyError:
            pass
        if len(self._known) >= _KNOWN_MAX:
            self._known.clear()
        number = int.from_bytes(ip, "big")
        found = None
        for shift in sorted(self._by_shift):  # the longest prefix first
            found = found or self._by_shift[shift].get(number >> shift)
        self._known[ip] = found
        return found


class UdpProxy:
    """Runs from `start` until `stop`, or until it fails: then `failed` says why and `on_failure` is called."""

    def __init__(self, config: ProxyConfig, on_failure: Callable[[], None] = lambda: None) -> None:
        self.config = config
        self.counters = Counters()
        self.failed = ""
        self._on_failure = on_failure
        self._routes = Routes({})
        self._tun = -1
        self._socket: socket.socket | None = None
        self._icmp: socket.socket | None = None
        self._stop_read, self._stop_write = -1, -1
        self._threads: list[threading.Thread] = []
        net = ipaddress.IPv4Network(config.network)
        self._mask, self._net = int(net.netmask), int(net.network_address)

    def start(self) -> None:
        """Open device and socket. Raises OSError, LinuxError."""
        with Netlink(self.config.netns) as nl:
            self._tun = link.add_tun(nl, self.config.tun, offload=True)
        try:
            with netns.enter(self.config.netns):
                self._socket = sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
                self._icmp = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.IPPROTO_ICMP)
            self._icmp.setblocking(False)
            self._icmp.setsockopt(_SOL_RAW, _ICMP_FILTER, b"\xff\xff\xff\xff")  # it only sends
            sock.setblocking(False)
            for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
                sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
            sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)
            sock.bind((self.config.local, self.config.port))
        except OSError:
            self._close()
            raise
        self._stop_read, self._stop_write = os.pipe2(os.O_CLOEXEC)
        for name, work in (("out", self._outward), ("in", self._inward)):
            thread = threading.Thread(target=self._guard, args=(work,), name=f"flannel udp {name}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def set_routes(self, peers: Mapping[str, tuple[str, int]]) -> None:
        """Where each subnet is: {"10.5.34.0/24": ("192.0.2.7", 8285)}."""
        self._routes = Routes(peers)

    def stop(self) -> None:
        """End the threads; the device stays, with whatever routes lead to it."""
        if self._stop_write >= 0:
            os.write(self._stop_write, b"x")
        for thread in self._threads:
            thread.join()
        self._threads.clear()
        self._close()

    def _close(self) -> None:
        for fd in (self._tun, self._stop_read, self._stop_write):
            if fd >= 0:
                os.close(fd)
        self._tun = self._stop_read = self._stop_write = -1
        for sock in (self._socket, self._icmp):
            if sock:
                sock.close()
        self._socket = self._icmp = None

    def _guard(self, work: Callable[[socket.socket], None]) -> None:
        sock = self._socket
        try:
            if sock is not None:
                work(sock)
        except Exception as error:  # the thread ends: report it, so that the proxy is restarted
            self.failed = f"{self.config.tun}: {error!r}"
            self._on_failure()

    def _wait(self, fd: int) -> bool:
        """Until there is something to read; False when it is time to stop."""
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        poll.register(self._stop_read, select.POLLIN)
        ready = dict(poll.poll())
        return self._stop_read not in ready

    # From the TUN device to the peers

    def _outward(self, sock: socket.socket) -> None:
        batch = Sender(sock.fileno(), _VNET)
        going = True
        while going:
            going = self._wait(self._tun)  # packets that have arrived are still sent
            for _ in range(_ROUNDS):
                more = self._read_batch(sock, batch)
                self.counters.unsent += batch.flush()
                if not more:
                    break

    def _read_batch(self, sock: socket.socket, batch: Sender) -> bool:
        """Fill the batch; whether there may be more to read."""
        while not batch.full:
            view = batch.views[batch.slot]
            try:
                length = os.readv(self._tun, [view])
            except BlockingIOError:
                return False
            self._outgoing(sock, batch, view[:length])
        return True

    def _outgoing(self, sock: socket.socket, batch: Sender, framed: memoryview) -> None:
        packet = framed[_VNET:]
        if not packets.total_length(packet):
            return  # IPv6 packets of the kernel itself, such as router solicitations
        found = self._routes.find(bytes(packet[16:20]))
        if found is None:
            self._refuse(packet)
            return
        if not packets.age(packet):
            self.counters.expired += 1
            return
        flags, kind, _, size, start, offset = segments.VNET.unpack_from(framed)
        if kind & ~segments.GSO_ECN == segments.GSO_TCPV4:
            for burst in segments.divide(packet, size, start):
                self._send_burst(sock, burst, found[1])
            return
        if flags & segments.NEEDS_CSUM:
            packets.complete_checksum(packet, start, offset)
        batch.add(len(packet), found[0])

    def _refuse(self, packet: memoryview) -> None:
        self.counters.unroutable += 1
        answer = packets.unreachable(packet)
        if answer and self._icmp:
            # By the kernel, not through the device: a packet from outside with our own address as its source would
            # be dropped.
            with suppress(OSError):
                self._icmp.sendto(answer, (socket.inet_ntoa(packet[12:16]), 0))

    def _send_burst(self, sock: socket.socket, burst: segments.Burst, address: tuple[str, int]) -> None:
        control = [(socket.IPPROTO_UDP, UDP_SEGMENT, struct.pack("=H", burst.size))]
        try:
            sock.sendmsg([burst.data], control, 0, address)
        except OSError:
            # The path MTU may be smaller, or the device can't segment: send them one by one.
            for start in range(0, len(burst.data), burst.size):
                try:
                    sock.sendto(burst.data[start : start + burst.size], address)
                except OSError:
                    self.counters.unsent += 1

    # From the peers to the TUN device

    def _inward(self, sock: socket.socket) -> None:
        batch = Receiver(sock.fileno())
        going = True
        while going:
            going = self._wait(sock.fileno())
            for _ in range(_ROUNDS):
                received = batch.receive()
                if not received:
                    break
                for data, size in received:
                    if size:
                        self._incoming(data, size)

    def _incoming(self, data: memoryview, size: int) -> None:
        for header, packet in segments.join(data, size):
            length = self._admit(packet)
            if length:
                self._write(header, packet[:length])

    def _admit(self, packet: memoryview) -> int:
        """Age a packet in place; its length, or 0 if it must be dropped."""
        length = packets.total_length(packet)
        if not length or int.from_bytes(packet[16:20], "big") & self._mask != self._net:
            self.counters.garbage += 1
            return 0
        if not packets.age(packet):
            self.counters.expired += 1
            return 0
        return length

    def _write(self, header: bytes, packet: bytes | memoryview) -> None:
        try:
            os.writev(self._tun, [header, packet])
        except BlockingIOError:
            self.counters.unsent += 1
        except OSError as error:
            if error.errno == errno.EIO:  # the device is down; a pass will set it up
                self.counters.unsent += 1
            elif error.errno == errno.EINVAL:  # the kernel refuses this packet
                self.counters.garbage += 1
            else:
                raise
