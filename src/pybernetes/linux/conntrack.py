"""The kernel's connection tracking table: lists flows and deletes them.

NAT is decided once per flow. A UDP client that keeps its source port continues to reach a removed endpoint until its
entry is deleted. Uses ctnetlink (linux/netfilter/nfnetlink_conntrack.h). Light on imports, because the portmap plugin
uses it.
"""

from __future__ import annotations

from pybernetes.linux.errors import Missing, ProtocolError
from pybernetes.linux.ipmsg import AF_INET, AF_INET6, unpack
from pybernetes.linux.rtnl import NETLINK_NETFILTER, Netlink, Request, attr, nested, parse_attrs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pybernetes.linux.netns import Netns

TCP, UDP, SCTP = 6, 17, 132

_CT_NEW, _CT_GET, _CT_DELETE = 0x100, 0x101, 0x102
_CTA_TUPLE_ORIG, _CTA_TUPLE_REPLY, _CTA_ID, _CTA_ZONE = 1, 2, 12, 18
_CTA_TUPLE_IP, _CTA_TUPLE_PROTO = 1, 2
_CTA_IP_V4_SRC, _CTA_IP_V4_DST, _CTA_IP_V6_SRC, _CTA_IP_V6_DST = 1, 2, 3, 4
_CTA_PROTO_NUM, _CTA_PROTO_SRC_PORT, _CTA_PROTO_DST_PORT = 1, 2, 3


class Flow:
    """One entry: the addresses of the first packet, and those expected in replies (NAT makes them differ)."""

    __slots__ = (
        "dport",
        "dst",
        "family",
        "ident",
        "protocol",
        "raw",
        "reply_dport",
        "reply_dst",
        "reply_sport",
        "reply_src",
        "sport",
        "src",
    )

    def __init__(self, payload: bytes) -> None:
        if len(payload) < 4:
            raise ProtocolError(f"conntrack message of {len(payload)} bytes")
        attrs = parse_attrs(payload, 4)
        self.family = payload[0]
        self.ident = attrs.get(_CTA_ID, b"")
        self.raw = nested(_CTA_TUPLE_ORIG, attrs.get(_CTA_TUPLE_ORIG, b""))
        if _CTA_ZONE in attrs:
            self.raw += attr(_CTA_ZONE, attrs[_CTA_ZONE])
        there, back = attrs.get(_CTA_TUPLE_ORIG, b""), attrs.get(_CTA_TUPLE_REPLY, b"")
        self.protocol, self.src, self.dst, self.sport, self.dport = _tuple(there)
        _, self.reply_src, self.reply_dst, self.reply_sport, self.reply_dport = _tuple(back)

    def __repr__(self) -> str:
        return (
            f"Flow({self.protocol} {self.src}:{self.sport} -> {self.dst}:{self.dport}, "
            f"answers {self.reply_src}:{self.reply_sport} -> {self.reply_dst}:{self.reply_dport})"
        )


def _tuple(data: bytes) -> tuple[int, str, str, int, int]:
    parts = parse_attrs(data)
    ip = parse_attrs(parts.get(_CTA_TUPLE_IP, b""))
    proto = parse_attrs(parts.get(_CTA_TUPLE_PROTO, b""))
    src = ip.get(_CTA_IP_V4_SRC) or ip.get(_CTA_IP_V6_SRC)
    dst = ip.get(_CTA_IP_V4_DST) or ip.get(_CTA_IP_V6_DST)
    return (
        int.from_bytes(proto.get(_CTA_PROTO_NUM, b"")[:1], "big"),
        unpack(src) if src else "",
        unpack(dst) if dst else "",
        int.from_bytes(proto.get(_CTA_PROTO_SRC_PORT, b"")[:2], "big"),
        int.from_bytes(proto.get(_CTA_PROTO_DST_PORT, b"")[:2], "big"),
    )


def flows(netns: Netns | None = None, family: int = 0) -> list[Flow]:
    """All entries of a namespace, or those of one family (4 or 6)."""
    numbers = {0: (AF_INET, AF_INET6), 4: (AF_INET,), 6: (AF_INET6,)}[family]
    with Netlink(netns, NETLINK_NETFILTER) as nl:
        found = []
        for number in numbers:
            request = Request(_CT_GET, 0, bytes((number, 0, 0, 0)), "list conntrack entries", "")
            found += [Flow(payload) for payload in nl.dump(request)]
    return found


def delete_where(match: Callable[[Flow], bool], netns: Netns | None = None, family: int = 0) -> int:
    """Delete the entries for which `match` is true. Returns how many."""
    removed = [flow for flow in flows(netns, family) if match(flow)]
    if not removed:
        return 0
    with Netlink(netns, NETLINK_NETFILTER) as nl:
        outcome = nl.batch([_delete(flow) for flow in removed])
    deleted = 0
    for error in outcome:
        if error is None:
            deleted += 1
        elif not isinstance(error, Missing):  # the flow may have ended by itself in the meantime
            raise error
    return deleted


def delete(
    *,
    protocol: int = 0,
    src: str = "",
    dst: str = "",
    dport: int = 0,
    reply_src: str = "",
    reply_sport: int = 0,
    netns: Netns | None = None,
) -> int:
    """Delete the entries that have all of the given properties. Returns how many.

    For a removed endpoint of a Service: protocol, dst and dport of the Service, reply_src and reply_sport of the
    endpoint. Without any property nothing is deleted.
    """
    wanted = [
        (name, value)
        for name, value in (
            ("protocol", protocol),
            ("src", src),
            ("dst", dst),
            ("dport", dport),
            ("reply_src", reply_src),
            ("reply_sport", reply_sport),
        )
        if value
    ]
    if not wanted:
        return 0
    return delete_where(lambda flow: all(getattr(flow, name) == value for name, value in wanted), netns)


def _delete(flow: Flow) -> Request:
    body = bytes((flow.family, 0, 0, 0)) + flow.raw
    if flow.ident:
        body += attr(_CTA_ID, flow.ident)
    return Request(_CT_DELETE, 0, body, "delete conntrack entry", repr(flow))
