"""Detects a pod network that overlaps an address of this node or the range of Services.

Packets would be misrouted without any hint at the cause. A network that no pod uses yet is refused; one that is in
use is kept, with a warning (docs/decisions/0007-overlapping-networks.md).
"""

import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pybernetes.flannel.config import ConfigError, FamilyConfig, IPNetwork, NetworkConfig
from pybernetes.linux import addr, bridge, link
from pybernetes.linux.rtnl import Netlink

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

#: Networks to propose, in this order; the first is flannel's own example.
_PROPOSED = {
    4: ("10.244.0.0/16", "10.42.0.0/16", "172.30.0.0/16", "192.168.128.0/17", "10.0.0.0/9", "10.128.0.0/9"),
    6: ("fd00:10:244::/48", "fd00:42::/48", "fd00:172:30::/48"),
}
_KEYS = {4: "Network", 6: "IPv6Network"}


@dataclass(frozen=True, slots=True)
class Occupied:
    """What a pod network must not overlap."""

    addresses: tuple[tuple[str, Interface], ...] = ()
    """Link and address, of links that are not the pod network's."""
    services: tuple[IPNetwork, ...] = ()

    def taken(self) -> list[IPNetwork]:
        """All networks that are in use here."""
        return [*(address.network for _, address in self.addresses), *self.services]


def node_addresses(nl: Netlink, is_ours: Callable[[link.Link], bool]) -> list[tuple[str, Interface]]:
    """Addresses of all links but those of the pod network itself: tunnels and pod bridges."""
    links = {li.index: li for li in link.links(nl)}
    bridges = {"cni0"} | {note.bridge for li in links.values() if (note := bridge.parse_alias(li.alias)) is not None}
    found = []
    for address in addr.addresses(nl):
        li = links.get(address.index)
        if li is not None and li.name not in bridges and not is_ours(li):
            found.append((li.name, ipaddress.ip_interface(address.cidr)))
    return found


def without_pods(
    addresses: Iterable[tuple[str, Interface]], own: Iterable[IPNetwork]
) -> tuple[tuple[str, Interface], ...]:
    """Leave out the gateways of pods: addresses whose network lies within this node's own subnets."""
    mine = list(own)
    return tuple(
        (name, address) for name, address in addresses if not any(_within(address.network, subnet) for subnet in mine)
    )


def _within(inner: IPNetwork, outer: IPNetwork) -> bool:
    return inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]  # the family is the same


def overlaps(family: FamilyConfig, occupied: Occupied) -> list[str]:
    """One sentence for each address and range that a family's network overlaps."""
    key = f"{_KEYS[family.version]} {family.network}"
    found = [
        f"{key} overlaps {address}, an address of {name} on this node"
        for name, address in occupied.addresses
        if address.version == family.version and address.network.overlaps(family.network)
    ]
    found += [
        f"{key} overlaps the range of Services {services}"
        for services in occupied.services
        if services.version == family.version and services.overlaps(family.network)
    ]
    return found


def advice(family: FamilyConfig, occupied: Occupied) -> str:
    """Which network to use instead."""
    taken = [network for network in occupied.taken() if network.version == family.version]
    for text in _PROPOSED[family.version]:
        proposed = ipaddress.ip_network(text)
        if not any(proposed.overlaps(network) for network in taken):
            return f"choose a network apart from it, such as {proposed}"
    return "choose a network apart from it"


class Guard:
    """Refuses an overlapping network that is not in use yet, and warns about one that is."""

    def __init__(self, in_use: Iterable[IPNetwork]) -> None:
        """`in_use`: the networks of the previous run, from subnet.env."""
        self._in_use = set(in_use)

    def refuse(self, config: NetworkConfig, occupied: Occupied) -> None:
        """Raises ConfigError."""
        for family in config.families:
            if family.network not in self._in_use and (found := overlaps(family, occupied)):
                raise ConfigError(f"{'; '.join(found)}: {advice(family, occupied)}")

    def used(self, config: NetworkConfig) -> None:
        """Pods have addresses of this network now."""
        self._in_use = {family.network for family in config.families}

    def warnings(self, config: NetworkConfig, occupied: Occupied) -> list[str]:
        """Sentences about a network that is in use."""
        return [
            f"{fault}: pods on other nodes may not be reachable; the network stays as it is, {_MOVE}"
            for family in config.families
            for fault in overlaps(family, occupied)
        ]


_MOVE = "so move the other address away"
