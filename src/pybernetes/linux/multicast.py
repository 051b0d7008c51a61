"""Subscriptions to netlink's multicast groups, of one protocol in one namespace."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from pybernetes.linux import netns, rtnl

_SO_RCVBUFFORCE = 33


def subscribe(target: netns.Netns | None, protocol: int, groups: Iterable[int], *, buffer: int = 0) -> socket.socket:
    """A non-blocking socket that receives these groups in a namespace (None: the caller's).

    `buffer` is the size of the receive buffer in bytes; 0 for the kernel's default. Raises OSError.
    """
    kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
    with netns.enter(target):
        sock = socket.socket(socket.AF_NETLINK, kind, protocol)
    try:
        if buffer:
            sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, buffer)
        sock.bind((0, 0))
        for group in groups:
            sock.setsockopt(rtnl.SOL_NETLINK, rtnl.NETLINK_ADD_MEMBERSHIP, group)
    except OSError:
        sock.close()
        raise
    return sock


@contextmanager
def reading(sock: socket.socket, readable: Callable[[], None]) -> Iterator[None]:
    """Call `readable` whenever there is something to read; close the socket at the end."""
    loop = asyncio.get_running_loop()
    with sock:
        loop.add_reader(sock.fileno(), readable)
        try:
            yield
        finally:
            loop.remove_reader(sock.fileno())
