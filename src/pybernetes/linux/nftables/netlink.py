"""nftables over netlink: a transaction made of messages, for small changes in a large table.

The `nft` tool first lists every chain and set of a table. With 10,000 chains, the change of one costs 80 ms, nearly all
of it for listing. Here the cost is that of the kernel: when a rule or a verdict is added, it checks all chains for
loops (5 to 15 ms for 10,000); other changes do not depend on the size of the table.

What flows through: `Messages` gives requests, `expressions` the expressions that rules are made of, and
`Session.commit` sends all as one batch that is carried out completely or not at all. Nothing is read back.

Sets carry the user data that `nft` stores in its own, so that it lists them the same way.

Source: linux/netfilter/nf_tables.h, nfnetlink.h; the messages of `nft --debug=mnl`.
"""

from __future__ import annotations

import errno
from _socket import socket as _socket
from collections.abc import Iterable, Iterator, Sequence
from struct import Struct
from typing import NamedTuple

from pybernetes.linux import netns as _netns
from pybernetes.linux import rtnl
from pybernetes.linux.errors import ProtocolError, netlink_error
from pybernetes.linux.nftables.expressions import IPV4, IPV6, SOURCE, ChoiceMap, Entry, Verdict, be32
from pybernetes.linux.rtnl import Request, attr, nested

# -- linux/netfilter/nfnetlink.h, nf_tables.h -------------------------------------------------------------
_BATCH_BEGIN, _BATCH_END, _SUBSYSTEM = 16, 17, 10
_NEWCHAIN, _DELCHAIN, _NEWRULE, _DELRULE, _NEWSET, _DELSET, _NEWELEMENT, _DELELEMENT = 3, 5, 6, 8, 9, 11, 12, 14
_CREATE, _APPEND = rtnl.NLM_F_CREATE, rtnl.NLM_F_APPEND
_ANONYMOUS, _CONSTANT, _MAP, _TIMEOUT, _DYNAMIC = 0x01, 0x02, 0x08, 0x10, 0x20

_SOCK_RAW, _SOCK_CLOEXEC = 3, 0o2000000
_SOL_SOCKET, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 1, 32, 33
_DONTWAIT = 0x40
_ROOM = 1 << 20
_ATTRIBUTE_BYTES = 60_000  # the length of an attribute has 16 bits

_U64 = Struct(">Q")
_NATIVE = Struct("=I")


# -- messages ---------------------------------------------------------------------------------------------
_ADDRESS_TYPE = {IPV4: 7, IPV6: 8}
_INTEGER, _SERVICE, _VERDICT = 4, 13, 0xFFFFFF00
_HOST_ORDER, _NETWORK_ORDER = 1, 2


def _note(kind: int, value: int) -> bytes:
    """A value in the user data of a set, which only nft reads."""
    return bytes((kind, 4)) + _NATIVE.pack(value)


_VERDICT_NOTE = bytes((4, 8)) + _note(0, 1) + bytes((1, 0))


class Messages(NamedTuple):
    """Makes the messages about one existing table. None has any effect before it is committed."""

    family: int
    name: str

    def _request(self, kind: int, flags: int, op: str, what: str, *attrs: bytes) -> Request:
        body = bytes((self.family, 0, 0, 0)) + rtnl.text(1, self.name) + b"".join(attrs)
        return Request(_SUBSYSTEM << 8 | kind, flags, body, op, f"{what} in table {self.name}")

    def add_chain(self, name: str) -> Request:
        """Add a chain unless it exists."""
        return self._request(_NEWCHAIN, _CREATE, "add", f"chain {name}", rtnl.text(3, name))

    def flush_chain(self, name: str) -> Request:
        """Remove all rules of a chain."""
        return self._request(_DELRULE, 0, "flush", f"chain {name}", rtnl.text(2, name))

    def delete_chain(self, name: str) -> Request:
        """Delete a chain that is empty and not referred to."""
        return self._request(_DELCHAIN, 0, "delete", f"chain {name}", rtnl.text(3, name))

    def add_rule(self, chain: str, expressions: Iterable[bytes], comment: str = "") -> Request:
        """Add a rule at the end of a chain."""
        parts = [rtnl.text(2, chain), nested(4, *expressions)]
        if comment:
            text = comment.encode() + b"\0"
            parts.append(attr(7, bytes((0, len(text))) + text))
        return self._request(_NEWRULE, _CREATE | _APPEND, "add", f"rule to chain {chain}", *parts)

    def add_client_set(self, name: str, seconds: int) -> Request:
        """Add a set of source addresses, filled by rules; elements expire after `seconds`."""
        kind, length = _ADDRESS_TYPE[self.family], SOURCE[self.family][1]
        return self._request(
            _NEWSET, _CREATE, "add", f"set {name}",
            rtnl.text(2, name), be32(3, _TIMEOUT | _DYNAMIC), be32(4, kind), be32(5, length), be32(10, 0),
            attr(11, _U64.pack(seconds * 1000)), attr(13, _note(0, _NETWORK_ORDER)),
        )  # fmt: skip

    def add_choices(self, choices: ChoiceMap) -> Iterator[Request]:
        """Add a rule's anonymous map with its entries; the rule must follow in the same batch."""
        if isinstance(choices.entries[0].value, Verdict):
            data, length, notes = _VERDICT, 0, _VERDICT_NOTE
        else:
            data, length, notes = _ADDRESS_TYPE[self.family] << 6 | _SERVICE, SOURCE[self.family][1] + 4, b""
        flags = _ANONYMOUS | _CONSTANT | _MAP
        yield self._request(
            _NEWSET, _CREATE, "add", f"map {choices.name}",
            rtnl.text(2, choices.name), be32(3, flags), be32(4, _INTEGER), be32(5, 4),
            be32(6, data), be32(7, length), be32(10, choices.id),
            nested(9, be32(1, len(choices.entries))),
            attr(13, _note(0, _HOST_ORDER) + _note(1, 0) + notes + _note(6, 0)),
        )  # fmt: skip
        yield from self.add_elements(choices.name, choices.entries, choices.id)

    def delete_set(self, name: str) -> Request:
        """Delete a set or map that is not in use."""
        return self._request(_DELSET, 0, "delete", f"set {name}", rtnl.text(2, name))

    def add_elements(self, name: str, entries: Iterable[Entry], id: int = 0) -> Iterator[Request]:
        """Add entries to a set or map, in as many messages as necessary."""
        return self._elements(_NEWELEMENT, _CREATE, "add", name, entries, be32(4, id) if id else b"")

    def delete_elements(self, name: str, keys: Iterable[bytes]) -> Iterator[Request]:
        """Delete entries, which must exist."""
        return self._elements(_DELELEMENT, 0, "delete", name, map(Entry, keys), b"")

    def _elements(
        self, kind: int, flags: int, op: str, name: str, entries: Iterable[Entry], more: bytes
    ) -> Iterator[Request]:
        what = f"elements of {name}"
        place = rtnl.text(2, name) + more
        parts: list[bytes] = []
        size = 0
        for entry in entries:
            part = entry.encode()
            if size + len(part) > _ATTRIBUTE_BYTES:
                yield self._request(kind, flags, op, what, place, nested(3, *parts))
                parts, size = [], 0
            parts.append(part)
            size += len(part)
        if parts:
            yield self._request(kind, flags, op, what, place, nested(3, *parts))


# -- the transaction --------------------------------------------------------------------------------------
def encode(requests: Sequence[Request]) -> bytes:
    """A batch: request n has the sequence number n + 1, and the last one asks for an acknowledgement."""
    frame = bytes((0, 0)) + _SUBSYSTEM.to_bytes(2, "big")
    parts = [rtnl.encode(Request(_BATCH_BEGIN, 0, frame, "begin", "batch"), 0)]
    last = len(requests)
    for place, request in enumerate(requests, 1):
        parts.append(rtnl.encode(request, place, rtnl.NLM_F_ACK if place == last else 0))
    parts.append(rtnl.encode(Request(_BATCH_END, 0, frame, "end", "batch"), last + 1))
    return b"".join(parts)


class Session:
    """A socket for transactions in a namespace (None: the caller's). Not for use by two threads at once.

    Keep it open: close(2) waits until no reader uses what the last transaction removed, which takes 10 to 30 ms.
    """

    def __init__(self, netns: _netns.Netns | None = None) -> None:
        with _netns.enter(netns):
            self._socket = _socket(rtnl.AF_NETLINK, _SOCK_RAW | _SOCK_CLOEXEC, rtnl.NETLINK_NETFILTER)
        for option in (rtnl.NETLINK_CAP_ACK, rtnl.NETLINK_EXT_ACK):
            self._socket.setsockopt(rtnl.SOL_NETLINK, option, 1)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def commit(self, requests: Sequence[Request]) -> None:
        """Carry out all requests; or none, and raise the first error. Blocks while the kernel works."""
        if not requests:
            return
        data = encode(requests)
        for _ in _answers(self._socket):
            pass  # replies left unread by a transaction that failed
        _make_room(self._socket, len(data))
        try:
            self._socket.send(data)
        except OSError as error:
            raise netlink_error(error.errno or errno.EIO, "send", f"a batch of {len(data)} bytes") from error
        _judge(list(_answers(self._socket)), requests)


def _make_room(sock: _socket, size: int) -> None:
    """Enlarge the buffers: the kernel accepts a batch only in one piece."""
    try:
        sock.setsockopt(_SOL_SOCKET, _SO_SNDBUFFORCE, max(size * 2, _ROOM))
        sock.setsockopt(_SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    except OSError as error:  # inside a user namespace; the default is enough for small batches
        if error.errno != errno.EPERM:
            raise


def _answers(sock: _socket) -> Iterator[rtnl.Message]:
    """The kernel's replies, which are complete when `send` returns."""
    while True:
        try:
            yield from rtnl.parse_messages(sock.recv(rtnl.RECEIVE, _DONTWAIT))
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more errors than fit into the buffer: the first ones are kept
                raise


def _judge(answers: Iterable[rtnl.Message], requests: Sequence[Request]) -> None:
    acknowledged = False
    for message in answers:
        if message.type != rtnl.NLMSG_ERROR:
            continue
        code, hint = rtnl.read_verdict(message)
        place = message.sequence - 1
        if code:
            known = 0 <= place < len(requests)
            op, what = (requests[place].op, requests[place].what) if known else ("commit", "the batch")
            raise netlink_error(code, op, what, hint)
        acknowledged |= place == len(requests) - 1
    if not acknowledged:
        raise ProtocolError("the kernel did not answer an nftables batch; whether it was carried out is unknown")
