"""Which interface carries the pod network, and why."""

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pybernetes.flannel.config import IPAddress
from pybernetes.flannel.lease import Underlay
from pybernetes.linux import addr, link, route
from pybernetes.linux.errors import NetlinkError
from pybernetes.linux.rtnl import Netlink


class InterfaceError(Exception):
    """No interface fits; the message says what was asked for and what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The wishes of a user, tried in this order; none: the interface of the default route."""

    names: Sequence[str] = ()
    """`--iface`: names or addresses"""
    patterns: Sequence[str] = ()
    """`--iface-regex`: matched against name and addresses"""
    can_reach: str = ""
    """`--iface-can-reach`: the interface by which this address is reached"""
    public_ips: Mapping[int, str] | None = None
    """`--public-ip`, `--public-ipv6`: what peers are told, by family"""


@dataclass(frozen=True, slots=True)
class Choice:
    """The interface, the address of each family that peers are told, and why."""

    underlay: Underlay
    public: Mapping[int, IPAddress]
    reason: str
    everywhere: frozenset[IPAddress] = frozenset()
    """All addresses of this node: a public one that is not among them is a translator's."""


def choose(nl: Netlink, wish: Selection, versions: Sequence[int]) -> Choice:
    """Find the interface. Raises InterfaceError."""
    links = {li.index: li for li in link.links(nl)}
    addresses = [a for a in addr.addresses(nl) if a.index in links]
    index, reason = _find(nl, wish, links, addresses, versions)
    chosen = _choice(links[index], [a for a in addresses if a.index == index], wish, versions, reason)
    return replace(chosen, everywhere=frozenset(ipaddress.ip_address(a.ip) for a in addresses))


def _find(
    nl: Netlink,
    wish: Selection,
    links: Mapping[int, link.Link],
    addresses: Sequence[addr.Address],
    versions: Sequence[int],
) -> tuple[int, str]:
    for name in wish.names:
        for index, li in links.items():
            if li.name == name or any(a.ip == name for a in addresses if a.index == index):
                return index, f"named by --iface={name}"
    for pattern in wish.patterns:
        try:
            regex = re.compile(pattern)
        except re.error as error:
            raise InterfaceError(f"--iface-regex {pattern!r} is not a regular expression: {error}") from error
        for index, li in links.items():
            if regex.search(li.name) or any(regex.search(a.ip) for a in addresses if a.index == index):
                return index, f"matches --iface-regex={pattern}"
    if wish.names or wish.patterns:
        wanted = ", ".join([*wish.names, *wish.patterns])
        raise InterfaceError(f"no interface matches {wanted}; there are {', '.join(li.name for li in links.values())}")
    if wish.can_reach:
        try:
            return route.lookup(nl, wish.can_reach).device, f"reaches --iface-can-reach={wish.can_reach}"
        except (NetlinkError, ValueError) as error:
            raise InterfaceError(f"--iface-can-reach {wish.can_reach}: {error}") from error
    return _default(nl, versions), "has the default route"


def _default(nl: Netlink, versions: Sequence[int]) -> int:
    for version in versions:
        dst = route.DEFAULT4 if version == 4 else route.DEFAULT6
        found = sorted((r.metric, r.device) for r in route.routes(nl, family=version) if r.dst == dst and r.device)
        if found:
            return found[0][1]
    raise InterfaceError("there is no default route to tell the interface by; name one with --iface")


def _choice(
    li: link.Link, addresses: Sequence[addr.Address], wish: Selection, versions: Sequence[int], reason: str
) -> Choice:
    usable = [a for a in addresses if a.scope == 0]
    interfaces = tuple(ipaddress.ip_interface(a.cidr) for a in usable)
    named = tuple(i.ip for i in interfaces if str(i.ip) in wish.names)
    public: dict[int, IPAddress] = {}
    for version in versions:
        told = (wish.public_ips or {}).get(version)
        own = [i.ip for i in interfaces if i.version == version]
        if not own:
            raise InterfaceError(f"{li.name} ({reason}) has no global IPv{version} address")
        public[version] = ipaddress.ip_address(told) if told else next((ip for ip in named if ip in own), own[0])
    return Choice(Underlay(li.name, li.index, li.mtu, interfaces, named), public, reason)
