"""Which interface carries the pod network, and why."""

import ipaddress
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pybernetes.flannel.config import IPAddress
from pybernetes.flannel.leases.lease import Underlay
from pybernetes.linux import addr, link, route
from pybernetes.linux.errors import NetlinkError
from pybernetes.linux.rtnl import Netlink

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


class InterfaceError(Exception):
    """No interface fits; the message says what was asked for and what there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """How the user selects the interface, tried in this order; nothing given: the interface of the default route."""

    names: Sequence[str] = ()
    """`--iface`: names or addresses"""
    patterns: Sequence[str] = ()
    """`--iface-regex`: matched against name and addresses"""
    can_reach: str = ""
    """`--iface-can-reach`: the interface by which this address is reached"""
    public_ips: Mapping[int, str] | None = None
    """`--public-ip`, `--public-ipv6`: addresses to announce, by family"""


@dataclass(frozen=True, slots=True)
class Choice:
    """The interface, the address of each family to announce, and why."""

    underlay: Underlay
    public: Mapping[int, IPAddress]
    reason: str
    everywhere: frozenset[IPAddress] = frozenset()
    """All addresses of this node: a public address that is not among them belongs to a NAT."""


@dataclass(frozen=True, slots=True)
class _Found:
    index: int
    reason: str
    wanted: tuple[str, ...] = ()
    """Its addresses that the selection names."""


def choose(
    nl: Netlink, selection: Selection, versions: Sequence[int], former: Mapping[int, IPAddress] | None = None
) -> Choice:
    """Find the interface. `former` are the addresses chosen before: they are kept if they still fit. Raises
    InterfaceError.
    """
    links = {li.index: li for li in link.links(nl)}
    addresses = [a for a in addr.addresses(nl) if a.index in links]
    found = _find(nl, selection, links, addresses, versions)
    everywhere = frozenset(ipaddress.ip_address(a.ip) for a in addresses)
    interfaces, wanted = _addresses(found, addresses)
    li, public = links.get(found.index), dict[int, IPAddress]()
    if li is None:
        raise InterfaceError(f"the interface that {found.reason} has gone")
    for version in versions:
        own = [i.ip for i in interfaces if i.version == version]
        if not own:
            hint = "; name another one with --iface" if li.loopback else ""
            raise InterfaceError(f"{li.name} ({found.reason}) has no global IPv{version} address{hint}")
        given = (selection.public_ips or {}).get(version)
        before = (former or {}).get(version)
        kept = (before,) if before in own else ()
        public[version] = (
            _user_address(given, version) if given else next(ip for ip in (*wanted, *kept, *own) if ip in own)
        )
    return Choice(Underlay(li.name, li.index, li.mtu, interfaces, wanted), public, found.reason, everywhere)


def _user_address(text: str, version: int) -> IPAddress:
    """The public address that the user gave for a family."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version:
        flag = "--public-ip" if version == 4 else "--public-ipv6"
        raise InterfaceError(f"{flag} must be an IPv{version} address, found {text!r:.60}")
    return address


def _addresses(found: _Found, addresses: Iterable[addr.Address]) -> tuple[tuple[Interface, ...], tuple[IPAddress, ...]]:
    """The interface's addresses, permanent ones first; and the ones that the selection names."""
    usable = sorted(_usable(addresses, found.index), key=lambda a: bool(a.flags & _TRANSIENT))
    interfaces = tuple(ipaddress.ip_interface(a.cidr) for a in usable)
    return interfaces, tuple(i.ip for i in interfaces if str(i.ip) in found.wanted)


#: Secondary or temporary, failed to be unique, deprecated, not yet known to be unique (linux/if_addr.h).
_TRANSIENT = 0x01 | 0x08 | 0x20 | 0x40


def _usable(addresses: Iterable[addr.Address], index: int) -> list[addr.Address]:
    return [a for a in addresses if a.index == index and a.scope == 0]


def _find(
    nl: Netlink,
    selection: Selection,
    links: Mapping[int, link.Link],
    addresses: Sequence[addr.Address],
    versions: Sequence[int],
) -> _Found:
    for name in selection.names:
        for index, li in links.items():
            if li.name == name or any(a.ip == name for a in addresses if a.index == index):
                return _Found(index, f"is named by --iface={name}", tuple(selection.names))
    for pattern in selection.patterns:
        if (found := _matching(pattern, links, addresses, versions)) is not None:
            return found
    if selection.names or selection.patterns:
        wanted = ", ".join([*selection.names, *selection.patterns])
        raise InterfaceError(f"no interface matches {wanted}; there are {_listed(links, addresses)}")
    if selection.can_reach:
        try:
            result = route.lookup(nl, selection.can_reach)
        except (NetlinkError, ValueError) as error:
            raise InterfaceError(f"--iface-can-reach {selection.can_reach}: {error}") from error
        return _Found(result.device, f"reaches --iface-can-reach={selection.can_reach}", (result.src,))
    return _Found(_default(nl, versions), "has the default route")


def _matching(
    pattern: str, links: Mapping[int, link.Link], addresses: Sequence[addr.Address], versions: Sequence[int]
) -> _Found | None:
    """The first interface with an address that matches; if there is none, the first whose name does."""
    try:
        regex = re.compile(pattern)
    except re.error as error:
        raise InterfaceError(f"--iface-regex {pattern!r} is not a regular expression: {error}") from error
    reason = f"matches --iface-regex={pattern}"
    for index in links:
        usable = [a.ip for a in _usable(addresses, index) if a.family in versions and regex.search(a.ip)]
        if usable:
            return _Found(index, reason, tuple(usable))
    return next((_Found(index, reason) for index, li in links.items() if regex.search(li.name)), None)


def _listed(links: Mapping[int, link.Link], addresses: Sequence[addr.Address]) -> str:
    """All interfaces with their addresses, for people."""
    found = {li.name: ", ".join(a.ip for a in _usable(addresses, index)) for index, li in links.items()}
    return ", ".join(f"{name} ({ips})" if ips else name for name, ips in found.items())


def _default(nl: Netlink, versions: Sequence[int]) -> int:
    for version in versions:
        dst = route.DEFAULT4 if version == 4 else route.DEFAULT6
        found = sorted((r.metric, r.device) for r in route.routes(nl, family=version) if r.dst == dst and r.device)
        if found:
            return found[0][1]
    raise InterfaceError("there is no default route to find the interface by; name one with --iface")
