"""Which nftables tables change in a namespace: a stranger's `nft flush ruleset` is known within a millisecond.

Says only that something was removed, never what: whoever cares looks at its own table. Removals are what a keeper
of rules must mend; additions by others can't hurt it.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pybernetes.linux import netns, rtnl

# linux/netfilter/nfnetlink.h and nf_tables.h
_NFNLGRP_NFTABLES = 7
_NFNL_SUBSYS_NFTABLES = 10
_DELETIONS = frozenset({2, 5, 8, 11, 14})  # table, chain, rule, set, element
_HEADER = struct.Struct("=IHHII")


def removes(data: bytes) -> bool:
    """Whether a datagram tells of a removal; garbage counts as one, since then one had better look."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size:
            return True
        if kind >> 8 == _NFNL_SUBSYS_NFTABLES and kind & 0xFF in _DELETIONS:
            return True
        offset += (length + 3) & ~3
    return False


class NftWatch:
    """`await removed()` returns when something has been removed since the last call."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._removed = asyncio.Event()

    async def removed(self) -> None:
        """Wait for a removal."""
        await self._removed.wait()
        self._removed.clear()

    def _readable(self) -> None:
        while True:
            try:
                data = self._socket.recv(rtnl.RECEIVE)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._removed.set()  # events were lost: any of them may have been a removal
                continue
            if removes(data):
                self._removed.set()


@asynccontextmanager
async def watch(target: netns.Netns | None = None) -> AsyncIterator[NftWatch]:
    """Watch the nftables of a namespace (None: our own)."""
    with netns.enter(target):
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        sock = socket.socket(socket.AF_NETLINK, kind, rtnl.NETLINK_NETFILTER)
    loop = asyncio.get_running_loop()
    try:
        sock.bind((0, 0))
        sock.setsockopt(rtnl.SOL_NETLINK, rtnl.NETLINK_ADD_MEMBERSHIP, _NFNLGRP_NFTABLES)
        watcher = NftWatch(sock)
        loop.add_reader(sock.fileno(), watcher._readable)
        try:
            yield watcher
        finally:
            loop.remove_reader(sock.fileno())
    finally:
        sock.close()
