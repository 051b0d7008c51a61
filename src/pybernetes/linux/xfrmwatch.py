"""Whether IPsec policies or states of a namespace change: a stranger's `ip xfrm state flush` is known at once."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pybernetes.linux import netns, rtnl, xfrm


class XfrmWatch:
    """`await changed()` returns when something has changed since the last call."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._some = asyncio.Event()

    async def changed(self) -> None:
        """Wait for a change."""
        await self._some.wait()
        self._some.clear()

    def _readable(self) -> None:
        while True:
            try:
                self._socket.recv(rtnl.RECEIVE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
            self._some.set()


@asynccontextmanager
async def watch(target: netns.Netns | None = None) -> AsyncIterator[XfrmWatch]:
    """Watch a namespace (None: our own)."""
    with netns.enter(target):
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        sock = socket.socket(socket.AF_NETLINK, kind, xfrm.NETLINK_XFRM)
    loop = asyncio.get_running_loop()
    try:
        sock.bind((0, 0))
        for group in xfrm.GROUPS.values():
            sock.setsockopt(rtnl.SOL_NETLINK, rtnl.NETLINK_ADD_MEMBERSHIP, group)
        watcher = XfrmWatch(sock)
        loop.add_reader(sock.fileno(), watcher._readable)
        try:
            yield watcher
        finally:
            loop.remove_reader(sock.fileno())
    finally:
        sock.close()
