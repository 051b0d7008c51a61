"""Netlink messages about addresses, routes, neighbours and forwarding entries. Pure: nothing is sent here.

Addresses are text as inet_ntop(3) prints it: `10.0.0.1`, `10.0.0.1/24`. IPv4 and IPv6 use the same functions.
Attribute numbers: linux/if_addr.h, linux/rtnetlink.h, linux/neighbour.h.
"""

from __future__ import annotations

from _socket import inet_ntop, inet_pton
from _struct import Struct  # `struct` adds nothing but its own import time

from pybernetes.linux.errors import ProtocolError
from pybernetes.linux.linkmsg import mac_bytes
from pybernetes.linux.rtnl import (
    NLM_F_APPEND,
    NLM_F_CREATE,
    NLM_F_EXCL,
    NLM_F_REPLACE,
    Request,
    attr,
    nested,
    parse_attrs,
    read_u32,
    text,
    u16,
    u32,
)

AF_INET = 2
AF_INET6 = 10
AF_BRIDGE = 7

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_DELROUTE, RTM_GETROUTE = 24, 25, 26
RTM_NEWNEIGH, RTM_DELNEIGH, RTM_GETNEIGH = 28, 29, 30

IFA_ADDRESS, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_FLAGS = 1, 2, 3, 4, 8
IFA_F_NODAD = 0x02
IFA_F_DADFAILED = 0x08
IFA_F_TENTATIVE = 0x40
IFA_F_PERMANENT = 0x80
IFA_F_NOPREFIXROUTE = 0x200

RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_METRICS, RTA_TABLE = 1, 4, 5, 6, 7, 8, 15
RTAX_MTU, RTAX_ADVMSS = 2, 8
RTNH_F_ONLINK = 4

RT_TABLE_MAIN = 254
RT_TABLE_LOCAL = 255
RTPROT_KERNEL, RTPROT_BOOT, RTPROT_STATIC = 2, 3, 4
RT_SCOPE_UNIVERSE, RT_SCOPE_LINK, RT_SCOPE_HOST = 0, 253, 254
ROUTE_TYPES = {
    "unicast": 1,
    "local": 2,
    "broadcast": 3,
    "anycast": 4,
    "multicast": 5,
    "blackhole": 6,
    "unreachable": 7,
    "prohibit": 8,
    "throw": 9,
}
ROUTE_TYPE_NAMES = {number: name for name, number in ROUTE_TYPES.items()}

NDA_DST, NDA_LLADDR, NDA_CACHEINFO, NDA_VLAN, NDA_IFINDEX, NDA_MASTER = 1, 2, 3, 5, 8, 9
NUD_REACHABLE, NUD_STALE, NUD_FAILED, NUD_NOARP, NUD_PERMANENT = 0x02, 0x04, 0x20, 0x40, 0x80
NTF_USE, NTF_SELF, NTF_MASTER, NTF_EXT_LEARNED = 0x01, 0x02, 0x04, 0x10

_IFADDR = Struct("=BBBBI")  # family, prefix length, flags, scope, index
_RTMSG = Struct("=BBBBBBBBI")  # family, dst len, src len, tos, table, protocol, scope, type, flags
_NDMSG = Struct("=BxxxiHBB")  # family, index, state, flags, type


def pack(ip: str) -> bytes:
    """The bytes of an address. Raises ValueError if the text is not an address."""
    try:
        return inet_pton(AF_INET6 if ":" in ip else AF_INET, ip)
    except (OSError, UnicodeEncodeError, ValueError) as bad:
        raise ValueError(f"expected an IP address, got {ip!r}") from bad


def unpack(raw: bytes) -> str:
    """The text of a packed address."""
    if len(raw) == 4:
        return inet_ntop(AF_INET, raw)
    if len(raw) == 16:
        return inet_ntop(AF_INET6, raw)
    raise ProtocolError(f"address of {len(raw)} bytes")


def family_of(ip: str) -> int:
    """AF_INET or AF_INET6 of an address or a prefix in text."""
    return AF_INET6 if ":" in ip else AF_INET


def split(cidr: str) -> tuple[bytes, int]:
    """(packed address, prefix length) of `10.0.0.1/24`; an address alone has the full length. Host bits are kept."""
    ip, slash, length = cidr.partition("/")
    raw = pack(ip)
    bits = len(raw) * 8
    if not slash:
        return raw, bits
    if not (length.isascii() and length.isdigit()) or int(length) > bits:
        raise ValueError(f"expected a prefix length from 0 to {bits}, got {cidr!r}")
    return raw, int(length)


def network(cidr: str) -> str:
    """The canonical prefix: without host bits, and with its length."""
    raw, length = split(cidr)
    bits = len(raw) * 8
    number = int.from_bytes(raw, "big") >> (bits - length) << (bits - length)
    return f"{unpack(number.to_bytes(len(raw), 'big'))}/{length}"


# -- addresses -------------------------------------------------------------------------------------------
def addr_add(
    index: int,
    cidr: str,
    *,
    scope: int = 0,
    flags: int = 0,
    broadcast: str = "",
    label: str = "",
    replace: bool = False,
) -> Request:
    """Add an address to a link. IPv6: without IFA_F_NODAD it is unusable for a second."""
    mode = NLM_F_CREATE | (NLM_F_REPLACE if replace else NLM_F_EXCL)
    return _addr(RTM_NEWADDR, mode, "add address", index, cidr, scope, flags, broadcast, label)


def addr_del(index: int, cidr: str) -> Request:
    return _addr(RTM_DELADDR, 0, "delete address", index, cidr, 0, 0, "", "")


def _addr(
    kind: int, mode: int, op: str, index: int, cidr: str, scope: int, flags: int, broadcast: str, label: str
) -> Request:
    raw, length = split(cidr)
    body = _IFADDR.pack(AF_INET if len(raw) == 4 else AF_INET6, length, flags & 0xFF, scope, index)
    body += attr(IFA_LOCAL, raw) + attr(IFA_ADDRESS, raw)
    if flags:
        body += u32(IFA_FLAGS, flags)
    if broadcast:
        body += attr(IFA_BROADCAST, pack(broadcast))
    if label:
        body += text(IFA_LABEL, label)
    return Request(kind, mode, body, op, f"{cidr} on link {index}")


def addr_dump(index: int = 0, family: int = 0) -> Request:
    return Request(RTM_GETADDR, 0, _IFADDR.pack(family, 0, 0, 0, index), "list addresses", str(index))


def addr_decode(payload: bytes) -> tuple[int, str, int, int, dict[int, bytes]]:
    """(link index, `ip/length`, scope, flags, attributes)."""
    if len(payload) < _IFADDR.size:
        raise ProtocolError(f"address message of {len(payload)} bytes")
    _family, length, flags, scope, index = _IFADDR.unpack_from(payload)
    attrs = parse_attrs(payload, _IFADDR.size)
    raw = attrs.get(IFA_LOCAL) or attrs.get(IFA_ADDRESS)
    if raw is None:
        raise ProtocolError("address message without an address")
    return index, f"{unpack(raw)}/{length}", scope, read_u32(attrs.get(IFA_FLAGS), flags), attrs


# -- routes ----------------------------------------------------------------------------------------------
def route(
    verb: str,
    dst: str,
    *,
    gateway: str = "",
    device: int = 0,
    src: str = "",
    metric: int = 0,
    table: int = RT_TABLE_MAIN,
    protocol: int = RTPROT_BOOT,
    scope: int | None = None,
    kind: str = "unicast",
    onlink: bool = False,
    mtu: int = 0,
    advmss: int = 0,
) -> Request:
    """`verb` is add (must not exist), replace or delete. For `scope` None the rules of ip-route(8) apply."""
    raw, length = split(dst)
    family = AF_INET if len(raw) == 4 else AF_INET6
    deleting = verb == "delete"
    if scope is None:
        scope = _scope(family, gateway, kind, deleting)
    body = _RTMSG.pack(
        family,
        length,
        0,
        0,
        table if table < 256 else 0,
        0 if deleting and protocol == RTPROT_BOOT else protocol,
        scope,
        ROUTE_TYPES[kind],
        RTNH_F_ONLINK if onlink else 0,
    )
    if length:
        body += attr(RTA_DST, raw)
    if gateway:
        body += attr(RTA_GATEWAY, pack(gateway))
    if src:
        body += attr(RTA_PREFSRC, pack(src))
    for number, value in ((RTA_OIF, device), (RTA_PRIORITY, metric), (RTA_TABLE, table)):
        if value:
            body += u32(number, value)
    metrics = b"".join(u32(number, value) for number, value in ((RTAX_MTU, mtu), (RTAX_ADVMSS, advmss)) if value)
    if metrics:
        body += nested(RTA_METRICS, metrics)
    message, flags = _ROUTE_VERBS[verb]
    return Request(message, flags, body, f"{verb} route", dst + (f" via {gateway}" if gateway else ""))


_ROUTE_VERBS = {
    "add": (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL),
    "append": (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND),
    "replace": (RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE),
    "delete": (RTM_DELROUTE, 0),
}


def _scope(family: int, gateway: str, kind: str, deleting: bool) -> int:
    if kind in ("local", "broadcast") and family == AF_INET:
        return RT_SCOPE_HOST if kind == "local" else RT_SCOPE_LINK
    if deleting:
        return 255  # RT_SCOPE_NOWHERE: any
    if family == AF_INET and not gateway and kind == "unicast":
        return RT_SCOPE_LINK
    return RT_SCOPE_UNIVERSE


def route_dump(family: int = 0, *, table: int = 0, protocol: int = 0, device: int = 0) -> Request:
    """Routes, filtered by the kernel; without its cache entries."""
    body = _RTMSG.pack(family, 0, 0, 0, table if table < 256 else 0, protocol, 0, 0, 0)
    for number, value in ((RTA_OIF, device), (RTA_TABLE, table)):
        if value:
            body += u32(number, value)
    return Request(RTM_GETROUTE, 0, body, "list routes", "")


def route_get(ip: str, src: str = "") -> Request:
    """The route that a packet to `ip` would take."""
    raw = pack(ip)
    bits = len(raw) * 8
    body = _RTMSG.pack(AF_INET if len(raw) == 4 else AF_INET6, bits, 0, 0, 0, 0, 0, 0, 0) + attr(RTA_DST, raw)
    if src:
        body += attr(RTA_PREFSRC, pack(src))
    return Request(RTM_GETROUTE, 0, body, "find route to", ip)


class RouteFields:
    """The fixed part of a route message."""

    __slots__ = ("attrs", "dst", "family", "flags", "kind", "protocol", "scope", "table")

    def __init__(self, payload: bytes) -> None:
        if len(payload) < _RTMSG.size:
            raise ProtocolError(f"route message of {len(payload)} bytes")
        head = _RTMSG.unpack_from(payload)
        self.family, length = head[0], head[1]
        self.protocol, self.scope, self.flags = head[5], head[6], head[8]
        self.kind = ROUTE_TYPE_NAMES.get(head[7], str(head[7]))
        self.attrs = parse_attrs(payload, _RTMSG.size)
        self.table = read_u32(self.attrs.get(RTA_TABLE), head[4])
        raw = self.attrs.get(RTA_DST) or bytes(4 if self.family == AF_INET else 16)
        self.dst = f"{unpack(raw)}/{length}"


# -- neighbours and FDB ----------------------------------------------------------------------------------
def neigh(
    verb: str, index: int, *, mac: str, ip: str = "", state: int = NUD_PERMANENT, fdb: bool = False, vlan: int = 0
) -> Request:
    """An ARP or NDP entry; with `fdb` a forwarding entry of a VXLAN device (`ip` is the remote VTEP).

    verb: add, replace, append (another remote for the same MAC) or delete.
    """
    family = AF_BRIDGE if fdb else family_of(ip)
    body = _NDMSG.pack(family, index, state, NTF_SELF if fdb else 0, 0)
    if ip:
        body += attr(NDA_DST, pack(ip))
    if mac:
        body += attr(NDA_LLADDR, mac_bytes(mac))
    if vlan:
        body += u16(NDA_VLAN, vlan)
    message, flags = _NEIGH_VERBS[verb]
    word = "FDB entry" if fdb else "neighbour"
    return Request(message, flags, body, f"{verb} {word}", f"{mac} {ip} on link {index}")


_NEIGH_VERBS = {
    "add": (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL),
    "append": (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_APPEND),
    "replace": (RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE),
    "delete": (RTM_DELNEIGH, 0),
}


def neigh_probe(index: int, ip: str) -> Request:
    """Make the kernel resolve the MAC of `ip` now. Its request also announces the sender's address and MAC."""
    body = _NDMSG.pack(family_of(ip), index, 0, NTF_USE, 0) + attr(NDA_DST, pack(ip))
    return Request(RTM_NEWNEIGH, NLM_F_CREATE, body, "probe neighbour", f"{ip} on link {index}")


def neigh_dump(index: int = 0, family: int = 0) -> Request:
    """The neighbours of one link; for family AF_BRIDGE its forwarding entries."""
    body = _NDMSG.pack(family, 0, 0, 0, 0)
    if index:
        body += u32(NDA_IFINDEX, index)
    return Request(RTM_GETNEIGH, 0, body, "list neighbours", str(index))


def neigh_decode(payload: bytes) -> tuple[int, int, int, int, dict[int, bytes]]:
    """(family, link index, state, flags, attributes)."""
    if len(payload) < _NDMSG.size:
        raise ProtocolError(f"neighbour message of {len(payload)} bytes")
    family, index, state, flags, _type = _NDMSG.unpack_from(payload)
    return family, index, state, flags, parse_attrs(payload, _NDMSG.size)


def neigh_key(payload: bytes) -> bytes:
    """The payload without the ages of the entry, which differ in each listing: equal keys decode to equal entries."""
    offset, end = _NDMSG.size, len(payload)
    while offset + 4 <= end:
        length = payload[offset] | payload[offset + 1] << 8
        if length < 4 or offset + length > end:
            break  # malformed: decoding it raises the error
        if payload[offset + 2] == NDA_CACHEINFO:
            return payload[:offset] + payload[offset + length :]
        offset += (length + 3) & ~3
    return payload
