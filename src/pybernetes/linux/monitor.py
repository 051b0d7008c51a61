"""Changes of a namespace's network as a stream of typed events.

For drift detection: another program's `ip route del` arrives here within a millisecond. Events are hints: the kernel
drops some when the reader is slow. A `Resync` event then asks the reader to compare everything.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import deque
from dataclasses import dataclass
from types import TracebackType

from pybernetes.linux import addr, fdb, ipmsg, link, linkmsg, multicast, neigh, netns, route, rtnl
from pybernetes.linux.errors import ProtocolError

# linux/rtnetlink.h, RTNLGRP_*
GROUPS = {"link": (1,), "neigh": (3,), "addr": (5, 9), "route": (7, 11)}
ALL = tuple(GROUPS)

_PENDING_LIMIT = 20_000
_RECEIVE_BUFFER = 8 << 20


@dataclass(frozen=True, slots=True)
class LinkEvent:
    link: link.Link
    gone: bool


@dataclass(frozen=True, slots=True)
class AddressEvent:
    address: addr.Address
    gone: bool


@dataclass(frozen=True, slots=True)
class RouteEvent:
    route: route.Route
    gone: bool


@dataclass(frozen=True, slots=True)
class NeighbourEvent:
    neighbour: neigh.Neighbour
    gone: bool


@dataclass(frozen=True, slots=True)
class FdbEvent:
    entry: fdb.FdbEntry
    gone: bool


@dataclass(frozen=True, slots=True)
class Resync:
    """Events were lost or could not be decoded: compare everything."""

    reason: str


Event = LinkEvent | AddressEvent | RouteEvent | NeighbourEvent | FdbEvent | Resync


def decode(message: rtnl.Message) -> Event | None:
    """The event in a message; None if it is of no interest, a Resync if it is malformed."""
    try:
        return _decode(message)
    except ProtocolError as error:
        return Resync(f"unreadable event: {error}")


def _decode(message: rtnl.Message) -> Event | None:
    payload = message.payload
    match message.type:
        case linkmsg.RTM_NEWLINK | linkmsg.RTM_DELLINK:
            if payload[:1] == bytes((linkmsg.AF_BRIDGE,)):
                return None  # the bridge's view of a port: an ordinary link event follows
            return LinkEvent(link.decode(payload), message.type == linkmsg.RTM_DELLINK)
        case ipmsg.RTM_NEWADDR | ipmsg.RTM_DELADDR:
            return AddressEvent(addr.decode(payload), message.type == ipmsg.RTM_DELADDR)
        case ipmsg.RTM_NEWROUTE | ipmsg.RTM_DELROUTE:
            return RouteEvent(route.decode(payload), message.type == ipmsg.RTM_DELROUTE)
        case ipmsg.RTM_NEWNEIGH | ipmsg.RTM_DELNEIGH:
            gone = message.type == ipmsg.RTM_DELNEIGH
            if payload[:1] == bytes((ipmsg.AF_BRIDGE,)):
                return FdbEvent(fdb.decode(payload), gone)
            return NeighbourEvent(neigh.decode(payload), gone)
    return None


class Monitor:
    """Subscribes on entering, and yields events until it is closed:

    async with Monitor(netns, groups=("link", "route")) as events:
        async for event in events: ...
    """

    def __init__(
        self,
        target: netns.Netns | None = None,
        *,
        groups: tuple[str, ...] = ALL,
        receive_buffer: int = _RECEIVE_BUFFER,
    ) -> None:
        self._netns = target
        self._groups = groups
        self._receive_buffer = receive_buffer
        self._pending: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._socket: socket.socket | None = None

    async def __aenter__(self) -> Monitor:
        groups = [number for group in self._groups for number in GROUPS[group]]
        self._socket = multicast.subscribe(self._netns, rtnl.NETLINK_ROUTE, groups, buffer=self._receive_buffer)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def __aiter__(self) -> Monitor:
        return self

    async def __anext__(self) -> Event:
        while not self._pending:
            self._wake.clear()
            await self._wake.wait()
        return self._pending.popleft()

    def _readable(self) -> None:
        assert self._socket is not None
        while True:
            try:
                data = self._socket.recv(rtnl.RECEIVE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._start_over("the kernel dropped events: they came faster than they were read")
                continue
            self._take(data)

    def _take(self, data: bytes) -> None:
        try:
            messages = rtnl.parse_messages(data)
        except ProtocolError as error:
            self._start_over(f"unreadable events: {error}")
            return
        events = [event for event in map(decode, messages) if event is not None]
        self._pending.extend(events)
        if len(self._pending) > _PENDING_LIMIT:
            self._start_over("events came faster than they were handled")
        elif events:
            self._wake.set()

    def _start_over(self, reason: str) -> None:
        """Drop pending events: the comparison that a Resync asks for makes them obsolete."""
        self._pending.clear()
        self._pending.append(Resync(reason))
        self._wake.set()
