"""Look up routes, neighbours and forwarding entries as the kernel does, in dumps of its tables. Pure.

Tables are searched in the order of the default rules: local, then main. Additional policy rules are not supported.
"""

from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from pybernetes.insight.facts import KernelFacts
from pybernetes.linux import ipmsg
from pybernetes.linux.link import Link
from pybernetes.linux.neigh import Neighbour
from pybernetes.linux.route import Route

LOCAL_TABLE = 255
#: States in which a neighbour's MAC is used.
_USABLE = 0x02 | 0x04 | 0x08 | 0x10 | 0x40 | ipmsg.NUD_PERMANENT


@lru_cache(maxsize=50_000)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


def _contains(prefix: str, ip: IPv4Address | IPv6Address) -> bool:
    network = _network(prefix)
    return network.version == ip.version and ip in network


def lookup(kernel: KernelFacts, ip: str, *, without_default: bool = False) -> Route | None:
    """The route for a packet to `ip`: longest prefix first, then lowest metric."""
    address = ip_address(ip)
    for table in (LOCAL_TABLE, ipmsg.RT_TABLE_MAIN):
        matches = [
            r
            for r in kernel.routes
            if r.table == table and _contains(r.dst, address) and not (without_default and r.dst.endswith("/0"))
        ]
        usable = [r for r in matches if not _dead(kernel, r)]
        if usable:
            return max(usable, key=lambda r: (_network(r.dst).prefixlen, -r.metric))
    return None


def _dead(kernel: KernelFacts, route: Route) -> bool:
    """The kernel ignores routes whose link is down."""
    link = kernel.link(route.device) if route.device else None
    return link is not None and not link.up


def neighbour(kernel: KernelFacts, index: int, ip: str) -> Neighbour | None:
    """The neighbour entry for `ip` on a link, if it has a usable MAC."""
    found = next((n for n in kernel.neighbours if n.index == index and n.ip == ip), None)
    return found if found is not None and found.state & _USABLE and found.mac else None


def tunnel_ends(kernel: KernelFacts, index: int, mac: str) -> list[str]:
    """The outer addresses to which a VXLAN device sends frames for a MAC."""
    mine = [e for e in kernel.forwarding if e.index == index and e.dst]
    exact = [e.dst for e in mine if e.mac == mac]
    return exact or [e.dst for e in mine if e.mac == "00:00:00:00:00:00"]


@dataclass(frozen=True, slots=True)
class Port:
    """A bridge port with an FDB entry for a MAC."""

    link: Link
    learned: bool


def bridge_port(kernel: KernelFacts, bridge: Link, mac: str) -> Port | None:
    """The port to which a bridge sends frames for a MAC; None if it floods them to all ports."""
    ports = {li.index: li for li in kernel.links if li.master == bridge.index}
    for entry in kernel.forwarding:
        if entry.mac == mac and entry.index in ports:
            return Port(ports[entry.index], True)
    return None
