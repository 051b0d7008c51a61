"""Addresses on links."""

from __future__ import annotations

from dataclasses import dataclass

from pybernetes.linux import ipmsg
from pybernetes.linux.errors import Exists, Missing
from pybernetes.linux.rtnl import Netlink, Request, read_text

SCOPES = {"global": 0, "site": 200, "link": 253, "host": 254}
FAMILIES = {4: ipmsg.AF_INET, 6: ipmsg.AF_INET6}


@dataclass(frozen=True, slots=True)
class Address:
    """One address of one link."""

    index: int
    cidr: str
    """`10.244.1.1/24`: the address with the prefix length of its network."""
    scope: int = 0
    flags: int = 0
    label: str = ""

    @property
    def ip(self) -> str:
        return self.cidr.partition("/")[0]

    @property
    def prefix(self) -> int:
        return int(self.cidr.partition("/")[2])

    @property
    def family(self) -> int:
        """4 or 6."""
        return 6 if ":" in self.cidr else 4


def decode(payload: bytes) -> Address:
    """Decode an RTM_NEWADDR or RTM_DELADDR payload."""
    index, cidr, scope, flags, attrs = ipmsg.addr_decode(payload)
    return Address(index, cidr, scope, flags, read_text(attrs.get(ipmsg.IFA_LABEL)))


def add_msg(index: int, cidr: str, *, scope: int = 0, flags: int = 0, replace: bool = False) -> Request:
    """A message for Netlink.batch. IPv6 addresses skip duplicate address detection and are usable at once."""
    if ":" in cidr:
        flags |= ipmsg.IFA_F_NODAD
    return ipmsg.addr_add(index, cidr, scope=scope, flags=flags, replace=replace)


def delete_msg(index: int, cidr: str) -> Request:
    return ipmsg.addr_del(index, cidr)


def addresses(nl: Netlink, index: int = 0, family: int = 0) -> list[Address]:
    """All addresses, or those of one link, or of one family (4 or 6)."""
    found = [decode(p) for p in nl.dump(ipmsg.addr_dump(index, FAMILIES.get(family, 0)))]
    return [a for a in found if not index or a.index == index]


def add(nl: Netlink, index: int, cidr: str, *, scope: int = 0, flags: int = 0) -> None:
    """Add an address. Raises Exists if the link already has it."""
    nl.request(add_msg(index, cidr, scope=scope, flags=flags))


def delete(nl: Netlink, index: int, cidr: str) -> None:
    nl.request(delete_msg(index, cidr))


def ensure(nl: Netlink, index: int, cidr: str, *, scope: int = 0, flags: int = 0) -> bool:
    """Add an address unless the link has it. Returns whether it was added."""
    try:
        add(nl, index, cidr, scope=scope, flags=flags)
    except Exists:
        return False
    return True


def ensure_deleted(nl: Netlink, index: int, cidr: str) -> bool:
    """Delete an address if the link has it. Returns whether it did."""
    try:
        delete(nl, index, cidr)
    except Missing:
        return False
    return True
