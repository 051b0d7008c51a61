"""Conflicts between leases: only one node can have a subnet, or the MAC of a tunnel's end. Pure.

Two leases with the same MAC would replace each other's kernel objects in each pass. The first lease keeps it; the other
one is reported.
"""

from collections.abc import Callable, Container

from pybernetes.flannel.config import IPAddress, IPNetwork
from pybernetes.flannel.leases.lease import FamilyLease, Lease


class LeaseConflicts:
    """The leases that were accepted so far, by what they own."""

    def __init__(self, exclusive: Callable[[Lease, FamilyLease], str]) -> None:
        """`exclusive`: what of a lease's backend data no other lease may have, in words; empty: nothing."""
        self._exclusive = exclusive
        self._owners: dict[IPNetwork, str] = {}
        self._lengths: dict[int, set[int]] = {4: set(), 6: set()}
        """By family, the prefix lengths among `_owners`. Usually there is one, and then only equal subnets overlap."""
        self._data: dict[tuple[int, str], tuple[str, IPAddress]] = {}

    def take(self, lease: Lease) -> None:
        """Accept a lease."""
        for part in lease.families:
            self._owners[part.subnet] = lease.node
            self._lengths[part.subnet.version].add(part.subnet.prefixlen)
            if data := self._exclusive(lease, part):
                self._data.setdefault((part.subnet.version, data), (lease.node, part.public_ip))

    def fault(self, lease: Lease, versions: Container[int]) -> str:
        """Which part of a lease belongs to an accepted lease already; empty: none."""
        for part in lease.families:
            if part.subnet.version in versions:
                fault = self._subnet_fault(part.subnet) or self._data_fault(lease, part)
                if fault:
                    return fault
        return ""

    def _subnet_fault(self, subnet: IPNetwork) -> str:
        if subnet in self._owners:
            return f"subnet {subnet} belongs to {self._owners[subnet]} already"
        for length in self._lengths[subnet.version]:
            if length < subnet.prefixlen and (wider := subnet.supernet(new_prefix=length)) in self._owners:
                return f"subnet {subnet} overlaps {wider} of {self._owners[wider]}"
        if any(length > subnet.prefixlen for length in self._lengths[subnet.version]):
            for taken, owner in self._owners.items():
                if taken.version == subnet.version and taken.overlaps(subnet):
                    return f"subnet {subnet} overlaps {taken} of {owner}"
        return ""

    def _data_fault(self, lease: Lease, part: FamilyLease) -> str:
        # One node may have two leases for a moment, when it gets another subnet: then both lead to the same address.
        data = self._exclusive(lease, part)
        owner, address = self._data.get((part.subnet.version, data), ("", part.public_ip))
        return f"{data} is that of {owner}" if address != part.public_ip else ""
