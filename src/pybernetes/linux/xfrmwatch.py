"""Reports that IPsec policies or states of a namespace have changed, such as after `ip xfrm state flush`."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pybernetes.linux import multicast, netns, rtnl, xfrm


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
    """Watch a namespace (None: the caller's)."""
    sock = multicast.subscribe(target, xfrm.NETLINK_XFRM, xfrm.GROUPS.values())
    watcher = XfrmWatch(sock)
    with multicast.reading(sock, watcher._readable):
        yield watcher
