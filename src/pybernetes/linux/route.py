"""Routes as frozen values.

A route's `protocol` number names its owner: each component uses one, and finds its stale routes by listing it.
"""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.linux import ipmsg
from pybernetes.linux.addr import FAMILIES
from pybernetes.linux.errors import Missing
from pybernetes.linux.rtnl import Netlink, Request, parse_attrs, read_u32

RTM_F_CLONED = 0x200

DEFAULT4 = "0.0.0.0/0"
DEFAULT6 = "::/0"


@dataclass(frozen=True, slots=True)
class Route:
    """One route with one next hop. Equal values are the same route with the same properties."""

    dst: str
    """Canonical prefix (see `ipmsg.network`); `0.0.0.0/0` and `::/0` are the default routes."""
    device: int = 0
    """Index of the outgoing link; 0 if there is none (blackhole) or the kernel should find it."""
    gateway: str = ""
    src: str = ""
    metric: int = 0
    """0 for the kernel's default, which it reports as 1024 for IPv6."""
    table: int = ipmsg.RT_TABLE_MAIN
    protocol: int = ipmsg.RTPROT_BOOT
    scope: int | None = None
    """None: chosen by the rules of ip-route(8)."""
    kind: str = "unicast"
    """`unicast`, `blackhole`, `unreachable`, `local`, ..."""
    onlink: bool = False
    """Treat the gateway as directly reachable on the link, whatever its address."""
    mtu: int = 0

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.dst else 4


network = ipmsg.network


def decode(payload: bytes) -> Route:
    """Decode an RTM_NEWROUTE or RTM_DELROUTE payload (without next hops if there are several)."""
    fields = ipmsg.RouteFields(payload)
    attrs = fields.attrs
    gateway, src = attrs.get(ipmsg.RTA_GATEWAY), attrs.get(ipmsg.RTA_PREFSRC)
    metrics = parse_attrs(attrs.get(ipmsg.RTA_METRICS, b""))
    return Route(
        dst=fields.dst,
        device=read_u32(attrs.get(ipmsg.RTA_OIF)),
        gateway=ipmsg.unpack(gateway) if gateway else "",
        src=ipmsg.unpack(src) if src else "",
        metric=read_u32(attrs.get(ipmsg.RTA_PRIORITY)),
        table=fields.table,
        protocol=fields.protocol,
        scope=fields.scope,
        kind=fields.kind,
        onlink=bool(fields.flags & ipmsg.RTNH_F_ONLINK),
        mtu=read_u32(metrics.get(ipmsg.RTAX_MTU)),
    )


def request(verb: str, route: Route) -> Request:
    """A message for Netlink.batch; verb is add, append, replace or delete."""
    return ipmsg.route(
        verb,
        route.dst,
        gateway=route.gateway,
        device=route.device,
        src=route.src,
        metric=route.metric,
        table=route.table,
        protocol=route.protocol,
        scope=route.scope,
        kind=route.kind,
        onlink=route.onlink,
        mtu=route.mtu,
    )


def routes(nl: Netlink, *, family: int = 0, table: int = 0, protocol: int = 0, device: int = 0) -> list[Route]:
    """The routes of all tables, or those that match every given filter (family: 4 or 6)."""
    wanted = [FAMILIES[family]] if family else list(FAMILIES.values())
    found: list[Route] = []
    for number in wanted:
        try:
            payloads = nl.dump(ipmsg.route_dump(number, table=table, protocol=protocol, device=device))
        except Missing:
            continue  # the table does not exist until a route is added to it
        found += [decode(payload) for payload in payloads if not _cloned(payload)]
    return [
        r
        for r in found
        if (not table or r.table == table)
        and (not protocol or r.protocol == protocol)
        and (not device or r.device == device)
    ]


def _cloned(payload: bytes) -> bool:
    return bool(ipmsg.RouteFields(payload).flags & RTM_F_CLONED)


def add(nl: Netlink, route: Route) -> None:
    """Add a route. Raises Exists if there is one with the same prefix, metric and table."""
    nl.request(request("add", route))


def replace(nl: Netlink, route: Route) -> None:
    """Add a route, or replace the one with the same prefix, metric and table."""
    nl.request(request("replace", route))


def delete(nl: Netlink, route: Route) -> None:
    """Delete a route. Raises Missing."""
    nl.request(request("delete", route))


def ensure_deleted(nl: Netlink, route: Route) -> bool:
    """Delete a route if it exists. Returns whether it did."""
    try:
        delete(nl, route)
    except Missing:
        return False
    return True


def lookup(nl: Netlink, ip: str) -> Route:
    """The route that a packet to `ip` takes now. Raises Missing if there is none."""
    return decode(nl.request(ipmsg.route_get(ip))[0])
