"""Backends: each says what the kernel should look like so that packets reach a peer's subnet.

A backend is pure. It never touches the kernel: `kernel.py` compares what it returns with what is there. Since each
peer is reached in the way that its own lease announces, two backends can be in use at once, and switching the
network from one to the other loses no packet.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from pybernetes.flannel.backends.alloc import Alloc
from pybernetes.flannel.backends.bgp.backend import Bgp
from pybernetes.flannel.backends.extension.backend import Extension
from pybernetes.flannel.backends.host_gw import HostGateway
from pybernetes.flannel.backends.ipip import Ipip
from pybernetes.flannel.backends.ipsec.backend import Ipsec
from pybernetes.flannel.backends.udp.backend import Udp
from pybernetes.flannel.backends.vxlan import Vxlan
from pybernetes.flannel.backends.wireguard.backend import Wireguard
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Lease, Underlay


class Backend(Protocol):
    """One way to reach peers."""

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """What peers must know of this node; `facts` are the MACs of our links by name, and what actors found out."""

    def overhead(self, version: int) -> int:
        """Bytes that encapsulation takes from the underlay's MTU."""

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """What this node needs to receive and to send, without any peer."""

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """What this node needs to reach one peer."""


def make(kind: str, options: Mapping[str, Any]) -> Backend:
    """The backend of a type; raises ConfigError for bad options."""
    return BACKENDS[kind](options)


def make_for_peers(kind: str, options: Mapping[str, Any] | None) -> Backend:
    """The backend of peers that is not ours; its options are not known if it never was."""
    return Ipsec.of_others(options or {}) if kind == "ipsec" else make(kind, options or {})


#: Every backend type by the name it has in `Backend.Type` and in leases.
BACKENDS: dict[
    str,
    type[Alloc]
    | type[Bgp]
    | type[Extension]
    | type[HostGateway]
    | type[Ipip]
    | type[Ipsec]
    | type[Udp]
    | type[Vxlan]
    | type[Wireguard],
] = {
    "vxlan": Vxlan,
    "host-gw": HostGateway,
    "ipip": Ipip,
    "wireguard": Wireguard,
    "ipsec": Ipsec,
    "udp": Udp,
    "bgp": Bgp,
    "extension": Extension,
    "alloc": Alloc,
}
