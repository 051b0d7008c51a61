"""A lease: which node has which subnet, and how it is reached. Subnet managers give and watch leases."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes.flannel.config import IPAddress, IPNetwork

BEHIND_NAT = "BehindNAT"
"""Key in the backend data: the node's own address, if its public address belongs to a NAT.

Go flanneld does not write it and ignores it. A public address on our segment may belong to a NAT, which does not take
pods' packets; only this key tells that from an address of the node itself.
"""


class LeaseError(Exception):
    """A lease is missing or malformed; the message says which and why."""


@dataclass(frozen=True, slots=True)
class FamilyLease:
    """One family of a lease."""

    subnet: IPNetwork
    public_ip: IPAddress
    data: Mapping[str, Any] = field(default_factory=dict)
    """What the node's backend announces, such as {"VNI": 1, "VtepMAC": "..."}."""

    @property
    def gateway(self) -> IPAddress:
        """The node's own address in its subnet: the bridge's."""
        return self.subnet.network_address + 1


@dataclass(frozen=True, slots=True)
class Lease:
    """A node's share of the network."""

    node: str
    """Name of the node, or the lease's key in etcd; used in messages."""
    backend: str
    """The type of backend by which the node is to be reached, in lower case."""
    families: tuple[FamilyLease, ...]

    def family(self, version: int) -> FamilyLease | None:
        """The lease's part of one family."""
        return next((f for f in self.families if f.subnet.version == version), None)

    @property
    def reason(self) -> str:
        """Why kernel objects made for this lease exist."""
        return f"lease of {self.node}"


@dataclass(frozen=True, slots=True)
class Underlay:
    """This node's interface to its peers."""

    link: str
    index: int
    mtu: int
    addresses: tuple[ipaddress.IPv4Interface | ipaddress.IPv6Interface, ...]
    """The addresses with their prefixes, which tell whether a peer is on the same segment."""
    chosen: tuple[IPAddress, ...] = ()
    """Those that the user named, if any."""

    def on_segment(self, address: IPAddress) -> bool:
        """Whether an address is reached without a router."""
        return any(address in interface.network for interface in self.addresses if interface.version == address.version)

    def next_to(self, theirs: FamilyLease) -> bool:
        """Whether a peer's public address is its own, and reached without a router: then it can be a gateway."""
        return BEHIND_NAT not in theirs.data and self.on_segment(theirs.public_ip)

    def source(self, public: IPAddress) -> IPAddress:
        """The address of this interface from which tunnels send; behind NAT it is not the public one."""
        here = [interface.ip for interface in self.addresses if interface.version == public.version]
        if public in here or not here:
            return public
        return next((ip for ip in self.chosen if ip in here), here[0])


@dataclass(frozen=True, slots=True)
class Node:
    """This node: its own lease and its way out."""

    lease: Lease
    underlay: Underlay
