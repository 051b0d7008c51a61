"""nftables over netlink: one transaction made of messages, for those who change a little in a large table.

The `nft` tool first reads every chain and set of a table, then changes it; with 10,000 chains a change of one costs
80 ms, nearly all of it reading. Here a change costs what it says and no more. What flows through: `Table` gives
requests, the functions below give the expressions that rules are made of, and `Session.commit` sends all as one
batch that happens whole or not at all. Nothing is read back and nothing is parsed; `linux/nft.py` lists.

Bodies are laid out as `nft` lays them out, types of keys and byte orders included, so that `nft list` shows rules
from here in its own words. Numbers are big-endian, but for data that the machine compares in its own order.

Source: linux/netfilter/nf_tables.h, nfnetlink.h; the messages of `nft --debug=mnl`.
"""

from __future__ import annotations

import errno
import ipaddress
from _socket import socket as _socket
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from pybernetes.linux import netns as _netns
from pybernetes.linux import rtnl
from pybernetes.linux.errors import ProtocolError, netlink_error
from pybernetes.linux.rtnl import Request, attr, nested

IPV4, IPV6 = 2, 10

# -- linux/netfilter/nfnetlink.h, nf_tables.h -------------------------------------------------------------
_BATCH_BEGIN, _BATCH_END, _SUBSYSTEM = 16, 17, 10
_NEWCHAIN, _DELCHAIN, _NEWRULE, _DELRULE, _NEWSET, _DELSET, _NEWELEMENT, _DELELEMENT = 3, 5, 6, 8, 9, 11, 12, 14
_CREATE, _APPEND = rtnl.NLM_F_CREATE, rtnl.NLM_F_APPEND
_ANONYMOUS, _CONSTANT, _MAP, _TIMEOUT, _DYNAMIC = 0x01, 0x02, 0x08, 0x10, 0x20
_DROP, _GOTO = 0, -4
_REGISTER = 1  # of 16 bytes; what follows four bytes in it is register 9, what follows it is register 2
_AFTER = {IPV4: 9, IPV6: 2}
_SOURCE = {IPV4: (12, 4), IPV6: (8, 16)}  # where the source address stands in the header, and its length
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}

_SOL_SOCKET, _SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 1, 32, 33
_DONTWAIT = 0x40
_ROOM = 1 << 20
_ATTRIBUTE_BYTES = 60_000  # an attribute says its length in 16 bits

_U32 = Struct(">I")
_U64 = Struct(">Q")
_S32 = Struct(">i")
_NATIVE = Struct("=I")


def _number(kind: int, value: int) -> bytes:
    return attr(kind, _U32.pack(value))


# -- data: keys, values, verdicts -------------------------------------------------------------------------
def address(text: str) -> bytes:
    """An address as it stands in a packet; ProtocolError for anything else."""
    try:
        return ipaddress.ip_address(text).packed
    except ValueError as error:
        raise ProtocolError(f"not an IP address: {text!r}") from error


def port(number: int) -> bytes:
    """A port, padded as in keys of several parts."""
    if not 0 <= number <= 0xFFFF:
        raise ProtocolError(f"not a port: {number}")
    return number.to_bytes(2, "big") + b"\0\0"


def protocol(name: str) -> bytes:
    """A protocol's number, padded as in keys of several parts."""
    if name not in _PROTOCOLS:
        raise ProtocolError(f"not one of {', '.join(_PROTOCOLS)}: {name!r}")
    return bytes((_PROTOCOLS[name], 0, 0, 0))


def number(value: int) -> bytes:
    """A number that the machine itself made, such as a random one."""
    return _NATIVE.pack(value)


class Verdict(NamedTuple):
    """What becomes of a packet: on to a chain, or dropped where none is named."""

    chain: str = ""

    def encode(self) -> bytes:
        """As an attribute of data."""
        code = attr(1, _S32.pack(_GOTO if self.chain else _DROP))
        return nested(2, code, rtnl.text(2, self.chain)) if self.chain else nested(2, code)


class Entry(NamedTuple):
    """An element of a set; `value` in maps alone."""

    key: bytes
    value: bytes | Verdict | None = None

    def encode(self) -> bytes:
        """As one of a list of elements."""
        parts = [nested(1, attr(1, self.key))]
        if isinstance(self.value, Verdict):
            parts.append(nested(2, self.value.encode()))
        elif self.value is not None:
            parts.append(nested(2, attr(1, self.value)))
        return nested(1, *parts)


# -- expressions ------------------------------------------------------------------------------------------
def _expression(name: str, *data: bytes) -> bytes:
    return nested(1, rtnl.text(1, name), nested(2, *data))


def _equals(value: bytes) -> bytes:
    return _expression("cmp", _number(1, _REGISTER), _number(2, 0), nested(3, attr(1, value)))


@lru_cache(64)
def match_protocol(name: str) -> bytes:
    """`meta l4proto tcp`"""
    return _expression("meta", _number(2, 16), _number(1, _REGISTER)) + _equals(protocol(name)[:1])


def _load_source(family: int, length: int) -> bytes:
    offset = _SOURCE[family][0]
    return _expression("payload", _number(1, _REGISTER), _number(2, 1), _number(3, offset), _number(4, length))


def _mask(mask: bytes, flip: bytes) -> bytes:
    places = _number(1, _REGISTER), _number(2, _REGISTER), _number(6, 0), _number(3, len(mask))
    return _expression("bitwise", *places, nested(4, attr(1, mask)), nested(5, attr(1, flip)))


@lru_cache(256)
def match_source(cidr: str) -> bytes:
    """`ip saddr 10.244.0.0/16`; bits of the host do not count."""
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        raise ProtocolError(f"not a CIDR: {cidr!r}") from error
    family = IPV4 if network.version == 4 else IPV6
    wanted = network.network_address.packed
    whole, rest = divmod(network.prefixlen, 8)
    if not rest and whole:  # whole bytes are compared without a mask
        return _load_source(family, whole) + _equals(wanted[:whole])
    return _load_source(family, len(wanted)) + _mask(network.netmask.packed, bytes(len(wanted))) + _equals(wanted)


def match_local_source() -> bytes:
    """`fib saddr type local`"""
    return _expression("fib", _number(3, 1), _number(2, 3), _number(1, _REGISTER)) + _equals(_NATIVE.pack(2))


def match_source_in(family: int, name: str) -> bytes:
    """`ip saddr @name`"""
    lookup = _expression("lookup", _number(2, _REGISTER), rtnl.text(1, name))
    return _load_source(family, _SOURCE[family][1]) + lookup


def remember_source(family: int, name: str) -> bytes:
    """`update @name { ip saddr }`"""
    update = _expression("dynset", _number(4, _REGISTER), _number(3, 1), rtnl.text(1, name))
    return _load_source(family, _SOURCE[family][1]) + update


def set_mark_bits(bits: int) -> bytes:
    """`meta mark set meta mark | bits`"""
    load = _expression("meta", _number(2, 3), _number(1, _REGISTER))
    store = _expression("meta", _number(2, 3), _number(3, _REGISTER))
    return load + _mask(_NATIVE.pack(~bits & 0xFFFFFFFF), _NATIVE.pack(bits)) + store


def verdict(what: Verdict) -> bytes:
    """`goto chain`, `drop`"""
    return _expression("immediate", _number(1, 0), nested(2, what.encode()))


def _dnat(family: int, port_register: int, *more: bytes) -> bytes:
    places = _number(3, _REGISTER), _number(5, port_register)
    return _expression("nat", _number(1, 1), _number(2, family), *places, *more)


def dnat(family: int, ip: str, to_port: int) -> bytes:
    """`dnat ip to 10.0.0.1:80`"""
    load_address = _expression("immediate", _number(1, _REGISTER), nested(2, attr(1, address(ip))))
    load_port = _expression("immediate", _number(1, 2), nested(2, attr(1, port(to_port)[:2])))
    return load_address + load_port + _dnat(family, 2, _number(7, 2))


@lru_cache(1024)
def _random(count: int) -> bytes:
    return _expression("numgen", _number(1, _REGISTER), _number(2, count), _number(3, 1), _number(4, 0))


def match_chance(of: int) -> bytes:
    """`numgen random mod 3 0`: one packet in three"""
    return _random(of) + _equals(number(0))


def dnat_random(family: int, choices: ChoiceMap) -> bytes:
    """`dnat ip addr . port to numgen random mod 2 map { … }`"""
    return _random(len(choices.entries)) + choices.lookup(_REGISTER) + _dnat(family, _AFTER[family])


def goto_random(choices: ChoiceMap) -> bytes:
    """`numgen random mod 2 vmap { … }`"""
    return _random(len(choices.entries)) + choices.lookup(0)


class ChoiceMap(NamedTuple):
    """The nameless map of one rule, from 0, 1, … to endpoints or verdicts.

    Its name is the caller's choice, and must be new to the table: where the kernel has to find one it looks at every
    set of the table for every such map.
    """

    name: str
    id: int
    entries: Sequence[Entry]

    def lookup(self, register: int) -> bytes:
        """Look up what register 1 holds."""
        where = _number(2, _REGISTER), _number(3, register)
        return _expression("lookup", *where, rtnl.text(1, self.name), _number(4, self.id))


# -- messages ---------------------------------------------------------------------------------------------
_ADDRESS_TYPE = {IPV4: 7, IPV6: 8}
_INTEGER, _SERVICE, _VERDICT = 4, 13, 0xFFFFFF00
_HOST_ORDER, _NETWORK_ORDER = 1, 2


def _note(kind: int, value: int) -> bytes:
    """A remark of nft to itself, kept by the kernel with a set."""
    return bytes((kind, 4)) + _NATIVE.pack(value)


_VERDICT_NOTE = bytes((4, 8)) + _note(0, 1) + bytes((1, 0))


class Table(NamedTuple):
    """A table that is there. Each method gives a message; none of them does anything before it is committed."""

    family: int
    name: str

    def _request(self, kind: int, flags: int, op: str, what: str, *attrs: bytes) -> Request:
        body = bytes((self.family, 0, 0, 0)) + rtnl.text(1, self.name) + b"".join(attrs)
        return Request(_SUBSYSTEM << 8 | kind, flags, body, op, f"{what} in table {self.name}")

    def add_chain(self, name: str) -> Request:
        """A chain, unless it is there."""
        return self._request(_NEWCHAIN, _CREATE, "add", f"chain {name}", rtnl.text(3, name))

    def flush_chain(self, name: str) -> Request:
        """Remove all rules of a chain."""
        return self._request(_DELRULE, 0, "flush", f"chain {name}", rtnl.text(2, name))

    def delete_chain(self, name: str) -> Request:
        """Remove a chain that is empty and led to by nothing."""
        return self._request(_DELCHAIN, 0, "delete", f"chain {name}", rtnl.text(3, name))

    def add_rule(self, chain: str, expressions: Iterable[bytes]) -> Request:
        """A rule at the end of a chain."""
        data = nested(4, *expressions)
        return self._request(_NEWRULE, _CREATE | _APPEND, "add", f"rule to chain {chain}", rtnl.text(2, chain), data)

    def add_client_set(self, name: str, seconds: int) -> Request:
        """A set of source addresses that rules fill and time empties."""
        kind, length = _ADDRESS_TYPE[self.family], _SOURCE[self.family][1]
        return self._request(
            _NEWSET, _CREATE, "add", f"set {name}",
            rtnl.text(2, name), _number(3, _TIMEOUT | _DYNAMIC), _number(4, kind), _number(5, length), _number(10, 0),
            attr(11, _U64.pack(seconds * 1000)), attr(13, _note(0, _NETWORK_ORDER)),
        )  # fmt: skip

    def add_choices(self, choices: ChoiceMap) -> Iterator[Request]:
        """A rule's nameless map with its entries; the rule must follow in the same batch."""
        if isinstance(choices.entries[0].value, Verdict):
            data, length, notes = _VERDICT, 0, _VERDICT_NOTE
        else:
            data, length, notes = _ADDRESS_TYPE[self.family] << 6 | _SERVICE, _SOURCE[self.family][1] + 4, b""
        flags = _ANONYMOUS | _CONSTANT | _MAP
        yield self._request(
            _NEWSET, _CREATE, "add", f"map {choices.name}",
            rtnl.text(2, choices.name), _number(3, flags), _number(4, _INTEGER), _number(5, 4),
            _number(6, data), _number(7, length), _number(10, choices.id),
            nested(9, _number(1, len(choices.entries))),
            attr(13, _note(0, _HOST_ORDER) + _note(1, 0) + notes + _note(6, 0)),
        )  # fmt: skip
        yield from self.add_elements(choices.name, choices.entries, choices.id)

    def delete_set(self, name: str) -> Request:
        """Remove a set or map that nothing uses."""
        return self._request(_DELSET, 0, "delete", f"set {name}", rtnl.text(2, name))

    def add_elements(self, name: str, entries: Iterable[Entry], id: int = 0) -> Iterator[Request]:
        """Entries of a set or map, in as many messages as they need."""
        return self._elements(_NEWELEMENT, _CREATE, "add", name, entries, _number(4, id) if id else b"")

    def delete_elements(self, name: str, keys: Iterable[bytes]) -> Iterator[Request]:
        """Remove entries, which must be there."""
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
    """A batch: request n carries the sequence number n + 1, and the last one asks for an answer."""
    frame = bytes((0, 0)) + _SUBSYSTEM.to_bytes(2, "big")
    parts = [rtnl.encode(Request(_BATCH_BEGIN, 0, frame, "begin", "batch"), 0)]
    last = len(requests)
    for place, request in enumerate(requests, 1):
        parts.append(rtnl.encode(request, place, rtnl.NLM_F_ACK if place == last else 0))
    parts.append(rtnl.encode(Request(_BATCH_END, 0, frame, "end", "batch"), last + 1))
    return b"".join(parts)


class Session:
    """A socket for transactions in a namespace (None: the caller's own). Not for use by two threads at once.

    Worth keeping: the kernel lets none be closed before all readers are done with what its last transaction removed,
    which takes 10 to 30 ms.
    """

    def __init__(self, netns: _netns.Netns | None = None) -> None:
        with _netns.enter(netns):
            self._socket = _socket(rtnl.AF_NETLINK, 3 | 0o2000000, rtnl.NETLINK_NETFILTER)
        for option in (rtnl.NETLINK_CAP_ACK, rtnl.NETLINK_EXT_ACK):
            self._socket.setsockopt(rtnl.SOL_NETLINK, option, 1)

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._socket.close()

    def commit(self, requests: Sequence[Request]) -> None:
        """Carry out all of it, or nothing and raise the first error. Blocks while the kernel works."""
        if not requests:
            return
        data = encode(requests)
        for _ in _answers(self._socket):
            pass  # what a transaction left unread that was cut short
        _make_room(self._socket, len(data))
        try:
            self._socket.send(data)
        except OSError as error:
            raise netlink_error(error.errno or errno.EIO, "send", f"a batch of {len(data)} bytes") from error
        _judge(list(_answers(self._socket)), requests)


def _make_room(sock: _socket, size: int) -> None:
    """The kernel takes a batch in one piece only."""
    try:
        sock.setsockopt(_SOL_SOCKET, _SO_SNDBUFFORCE, max(size * 2, _ROOM))
        sock.setsockopt(_SOL_SOCKET, _SO_RCVBUFFORCE, _ROOM)
    except OSError as error:  # inside a user namespace; small batches need no more than the default
        if error.errno != errno.EPERM:
            raise


def _answers(sock: _socket) -> Iterator[rtnl.Message]:
    """What the kernel said; it is all there when `send` returns."""
    while True:
        try:
            yield from rtnl.parse_messages(sock.recv(rtnl.RECEIVE, _DONTWAIT))
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:  # more errors than fit: the first ones are kept
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
