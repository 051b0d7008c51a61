"""Neighbours: the link-layer address of an IP address on a link (ARP and NDP)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pybernetes.linux import ipmsg
from pybernetes.linux.addr import FAMILIES
from pybernetes.linux.errors import Missing
from pybernetes.linux.linkmsg import mac_text
from pybernetes.linux.rtnl import Netlink, Request

PERMANENT = ipmsg.NUD_PERMANENT
REACHABLE = ipmsg.NUD_REACHABLE


@dataclass(frozen=True, slots=True)
class Neighbour:
    index: int
    """Index of its link."""
    ip: str
    mac: str
    state: int = PERMANENT

    @property
    def permanent(self) -> bool:
        return bool(self.state & PERMANENT)


def decode(payload: bytes) -> Neighbour:
    """Decode an RTM_NEWNEIGH payload."""
    _family, index, state, _flags, attrs = ipmsg.neigh_decode(payload)
    ip = attrs.get(ipmsg.NDA_DST)
    return Neighbour(index, ipmsg.unpack(ip) if ip else "", mac_text(attrs.get(ipmsg.NDA_LLADDR)), state)


#: Few of thousands of entries change between two listings.
_known = lru_cache(maxsize=20_000)(decode)


def request(verb: str, entry: Neighbour) -> Request:
    """A message for Netlink.batch; verb is add, replace or delete."""
    mac = "" if verb == "delete" else entry.mac
    return ipmsg.neigh(verb, entry.index, mac=mac, ip=entry.ip, state=entry.state)


def neighbours(nl: Netlink, index: int = 0, *, permanent: bool = False) -> list[Neighbour]:
    """The neighbours of one link (0: of all), in both families."""
    found = []
    for family in FAMILIES.values():
        found += [_known(ipmsg.neigh_key(payload)) for payload in nl.dump(ipmsg.neigh_dump(index, family))]
    return [n for n in found if (not index or n.index == index) and (n.permanent or not permanent)]


def replace(nl: Netlink, entry: Neighbour) -> None:
    nl.request(request("replace", entry))


def delete(nl: Netlink, entry: Neighbour) -> None:
    nl.request(request("delete", entry))


def ensure_deleted(nl: Netlink, entry: Neighbour) -> bool:
    """Delete an entry if it exists. Returns whether it did."""
    try:
        delete(nl, entry)
    except Missing:
        return False
    return True
