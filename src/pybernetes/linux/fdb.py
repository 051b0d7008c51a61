"""Forwarding database entries: where a bridge or a VXLAN device sends frames for a MAC address."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from pybernetes.linux import ipmsg
from pybernetes.linux.errors import Missing
from pybernetes.linux.linkmsg import mac_text
from pybernetes.linux.rtnl import Netlink, Request, read_u32


@dataclass(frozen=True, slots=True)
class FdbEntry:
    index: int
    """The VXLAN device, or the bridge port."""
    mac: str
    dst: str = ""
    """VXLAN: address of the remote VTEP. Empty on plain bridge ports."""
    state: int = ipmsg.NUD_PERMANENT
    vlan: int = 0

    @property
    def permanent(self) -> bool:
        return bool(self.state & (ipmsg.NUD_PERMANENT | ipmsg.NUD_NOARP))


def decode(payload: bytes) -> FdbEntry:
    """Decode an RTM_NEWNEIGH payload of family AF_BRIDGE."""
    _family, index, state, _flags, attrs = ipmsg.neigh_decode(payload)
    dst = attrs.get(ipmsg.NDA_DST)
    return FdbEntry(
        index=index,
        mac=mac_text(attrs.get(ipmsg.NDA_LLADDR)),
        dst=ipmsg.unpack(dst) if dst else "",
        state=state,
        vlan=read_u32(attrs.get(ipmsg.NDA_VLAN)),
    )


#: Few of thousands of entries change between two listings.
_known = lru_cache(maxsize=20_000)(decode)


def request(verb: str, entry: FdbEntry) -> Request:
    """A message for Netlink.batch; verb is append, replace or delete.

    Replace makes `dst` the only remote of the MAC; append adds another one (for the all-zero MAC).
    """
    return ipmsg.neigh(verb, entry.index, mac=entry.mac, ip=entry.dst, state=entry.state, fdb=True, vlan=entry.vlan)


def entries(nl: Netlink, index: int = 0) -> list[FdbEntry]:
    """The entries of one device or bridge port; of all for index 0."""
    found = [_known(ipmsg.neigh_key(payload)) for payload in nl.dump(ipmsg.neigh_dump(index, ipmsg.AF_BRIDGE))]
    return [entry for entry in found if not index or entry.index == index]


def append(nl: Netlink, entry: FdbEntry) -> None:
    nl.request(request("append", entry))


def replace(nl: Netlink, entry: FdbEntry) -> None:
    nl.request(request("replace", entry))


def delete(nl: Netlink, entry: FdbEntry) -> None:
    nl.request(request("delete", entry))


def ensure_deleted(nl: Netlink, entry: FdbEntry) -> bool:
    """Delete an entry if it exists. Returns whether it did."""
    try:
        delete(nl, entry)
    except Missing:
        return False
    return True
