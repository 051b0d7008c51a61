"""The parts of nftables rules and maps as netlink attributes: data, verdicts, and expressions. Pure.

Expressions have the same layout as those of `nft`, so that `nft list` shows them in its own syntax. Numbers are
big-endian, except for data that the kernel compares in host byte order. `netlink` sends them.

Source: linux/netfilter/nf_tables.h; the messages of `nft --debug=mnl`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from pybernetes.linux import rtnl
from pybernetes.linux.errors import ProtocolError
from pybernetes.linux.rtnl import attr, nested

IPV4, IPV6 = 2, 10
SOURCE = {IPV4: (12, 4), IPV6: (8, 16)}
"""Offset and length of the source address in the header."""

_DROP, _GOTO = 0, -4
_REGISTER = 1  # 16 bytes wide; register 9 is its second word, register 2 comes after it
_AFTER = {IPV4: 9, IPV6: 2}
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}

_U32 = Struct(">I")
_S32 = Struct(">i")
_NATIVE = Struct("=I")


def be32(kind: int, value: int) -> bytes:
    """An attribute with a big-endian number, as nf_tables uses them."""
    return attr(kind, _U32.pack(value))


# -- data: keys, values, verdicts -------------------------------------------------------------------------
def address(text: str) -> bytes:
    """An address in network byte order. Raises ProtocolError if the text is not an address."""
    try:
        return ipaddress.ip_address(text).packed
    except ValueError as error:
        raise ProtocolError(f"not an IP address: {text!r}") from error


def port(number: int) -> bytes:
    """A port, padded as in concatenated keys."""
    if not 0 <= number <= 0xFFFF:
        raise ProtocolError(f"not a port: {number}")
    return number.to_bytes(2, "big") + b"\0\0"


def protocol(name: str) -> bytes:
    """A protocol's number, padded as in concatenated keys."""
    if name not in _PROTOCOLS:
        raise ProtocolError(f"not one of {', '.join(_PROTOCOLS)}: {name!r}")
    return bytes((_PROTOCOLS[name], 0, 0, 0))


def number(value: int) -> bytes:
    """A number in host byte order, such as a random one."""
    return _NATIVE.pack(value)


class Verdict(NamedTuple):
    """What happens to a packet: it continues in a chain, or is dropped if none is named."""

    chain: str = ""

    def encode(self) -> bytes:
        """As a data attribute."""
        code = attr(1, _S32.pack(_GOTO if self.chain else _DROP))
        return nested(2, code, rtnl.text(2, self.chain)) if self.chain else nested(2, code)


class Entry(NamedTuple):
    """An element of a set; `value` in maps only."""

    key: bytes
    value: bytes | Verdict | None = None

    def encode(self) -> bytes:
        """As an item of a list of elements."""
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
    return _expression("cmp", be32(1, _REGISTER), be32(2, 0), nested(3, attr(1, value)))


@lru_cache(64)
def match_protocol(name: str) -> bytes:
    """`meta l4proto tcp`"""
    return _expression("meta", be32(2, 16), be32(1, _REGISTER)) + _equals(protocol(name)[:1])


def _load_source(family: int, length: int) -> bytes:
    offset = SOURCE[family][0]
    return _expression("payload", be32(1, _REGISTER), be32(2, 1), be32(3, offset), be32(4, length))


def _mask(mask: bytes, flip: bytes) -> bytes:
    places = be32(1, _REGISTER), be32(2, _REGISTER), be32(6, 0), be32(3, len(mask))
    return _expression("bitwise", *places, nested(4, attr(1, mask)), nested(5, attr(1, flip)))


@lru_cache(256)
def match_source(cidr: str) -> bytes:
    """`ip saddr 10.244.0.0/16`; host bits are ignored."""
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError as error:
        raise ProtocolError(f"not a CIDR: {cidr!r}") from error
    family = IPV4 if network.version == 4 else IPV6
    wanted = network.network_address.packed
    octets, bits = divmod(network.prefixlen, 8)
    if not bits and octets:  # a prefix of complete bytes is compared without a mask
        return _load_source(family, octets) + _equals(wanted[:octets])
    return _load_source(family, len(wanted)) + _mask(network.netmask.packed, bytes(len(wanted))) + _equals(wanted)


def match_local_source() -> bytes:
    """`fib saddr type local`"""
    return _expression("fib", be32(3, 1), be32(2, 3), be32(1, _REGISTER)) + _equals(_NATIVE.pack(2))


def match_source_in(family: int, name: str) -> bytes:
    """`ip saddr @name`"""
    lookup = _expression("lookup", be32(2, _REGISTER), rtnl.text(1, name))
    return _load_source(family, SOURCE[family][1]) + lookup


def remember_source(family: int, name: str) -> bytes:
    """`update @name { ip saddr }`"""
    update = _expression("dynset", be32(4, _REGISTER), be32(3, 1), rtnl.text(1, name))
    return _load_source(family, SOURCE[family][1]) + update


def set_mark_bits(bits: int) -> bytes:
    """`meta mark set meta mark | bits`"""
    load = _expression("meta", be32(2, 3), be32(1, _REGISTER))
    store = _expression("meta", be32(2, 3), be32(3, _REGISTER))
    return load + _mask(_NATIVE.pack(~bits & 0xFFFFFFFF), _NATIVE.pack(bits)) + store


def verdict(what: Verdict) -> bytes:
    """`goto chain`, `drop`"""
    return _expression("immediate", be32(1, 0), nested(2, what.encode()))


def _dnat(family: int, port_register: int, *more: bytes) -> bytes:
    places = be32(3, _REGISTER), be32(5, port_register)
    return _expression("nat", be32(1, 1), be32(2, family), *places, *more)


def dnat(family: int, ip: str, to_port: int) -> bytes:
    """`dnat ip to 10.0.0.1:80`"""
    load_address = _expression("immediate", be32(1, _REGISTER), nested(2, attr(1, address(ip))))
    load_port = _expression("immediate", be32(1, 2), nested(2, attr(1, port(to_port)[:2])))
    return load_address + load_port + _dnat(family, 2, be32(7, 2))


@lru_cache(1024)
def _random(count: int) -> bytes:
    return _expression("numgen", be32(1, _REGISTER), be32(2, count), be32(3, 1), be32(4, 0))


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
    """The anonymous map of one rule, from 0, 1, … to endpoints or verdicts.

    The caller chooses its name, which must be unique in the table: to find one itself, the kernel would search all
    sets of the table for each such map.
    """

    name: str
    id: int
    entries: Sequence[Entry]

    def lookup(self, register: int) -> bytes:
        """Look up the contents of register 1."""
        where = be32(2, _REGISTER), be32(3, register)
        return _expression("lookup", *where, rtnl.text(1, self.name), be32(4, self.id))
