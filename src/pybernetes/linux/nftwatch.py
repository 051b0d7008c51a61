"""Reports from which nftables tables of a namespace something was removed, within a millisecond.

It reports the table and not the object. Only removals matter to the owner of a table, which restores it; additions by
other programs do no harm.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from pybernetes.linux import multicast, netns, rtnl
from pybernetes.linux.errors import ProtocolError

# linux/netfilter/nfnetlink.h and nf_tables.h
_NFNLGRP_NFTABLES = 7
_NFNL_SUBSYS_NFTABLES = 10
_DELETIONS = frozenset({2, 5, 8, 11, 14})  # table, chain, rule, set, element
_HEADER = struct.Struct("=IHHII")


def removed_from(data: bytes) -> set[str]:
    """The tables from which something was removed, according to a datagram; `""` if it is malformed."""
    tables: set[str] = set()
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, _, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return tables | {""}
        if kind >> 8 == _NFNL_SUBSYS_NFTABLES and kind & 0xFF in _DELETIONS:
            tables.add(_table(data[offset + _HEADER.size + 4 : offset + length]))
        offset += (length + 3) & ~3
    return tables


def _table(attributes: bytes) -> str:
    """The table's name: attribute 1 in messages about every kind of object."""
    try:
        return rtnl.read_text(rtnl.parse_attrs(attributes).get(1))
    except ProtocolError:
        return ""


class NftWatch:
    """`await removed()` returns the tables from which something was removed since the last call.

    The empty name stands for any table: events were lost or could not be decoded.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._some = asyncio.Event()
        self._tables: set[str] = set()
        self._ignoring = False

    async def removed(self) -> set[str]:
        """Wait for a removal."""
        await self._some.wait()
        self._some.clear()
        tables, self._tables = self._tables, set()
        return tables

    @contextmanager
    def own_changes(self) -> Iterator[None]:
        """Removals inside this block are the caller's own and are not reported."""
        self._ignoring = True
        try:
            yield
        finally:
            self._ignoring = False
            self._read()
            self._tables.clear()
            self._some.clear()

    def _readable(self) -> None:
        self._read()
        if self._tables and not self._ignoring:
            self._some.set()

    def _read(self) -> None:
        while True:
            try:
                self._tables |= removed_from(self._socket.recv(rtnl.RECEIVE))
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._tables.add("")  # events were lost: any of them may have been a removal


@asynccontextmanager
async def watch(target: netns.Netns | None = None) -> AsyncIterator[NftWatch]:
    """Watch the nftables of a namespace (None: the caller's)."""
    sock = multicast.subscribe(target, rtnl.NETLINK_NETFILTER, [_NFNLGRP_NFTABLES])
    watcher = NftWatch(sock)
    with multicast.reading(sock, watcher._readable):
        yield watcher
