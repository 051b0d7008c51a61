"""ipip: pod packets travel between nodes inside IPv4, with a second IP header and no other encapsulation.

In the kernel:

| object | value |
|---|---|
| link | `flannel.ipip`, ipip, local = the interface's address, no remote, MTU = underlay's - 20 |
| address | the subnet's network address, /32, so that host traffic has a source |

and per peer:

| object | value |
|---|---|
| route | `<peer subnet> via <peer public IP> dev flannel.ipip onlink` |

The route's gateway is the outer address. The kernel's own `tunl0` (local any, remote any) stays as it is; packets for
our address match `flannel.ipip` more closely and never reach it. With DirectRouting, peers on the same segment get a
plain route instead, as with host-gw. IPv4 only, as in Go flannel. Needs the module `ipip`, and a network that allows IP
protocol 4: many clouds do not.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.options import behind_nat, flag
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, Device, LinkAddress, PeerRoute
from pybernetes.flannel.kernel.kind import Recovery
from pybernetes.flannel.kernel.links import LinkKind
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import Lease, Underlay
from pybernetes.linux import link
from pybernetes.linux.link import Link
from pybernetes.linux.rtnl import Netlink

LINK = "flannel.ipip"
#: The outer IPv4 header.
OVERHEAD = 20


@dataclass(frozen=True, slots=True)
class IpipLink(Device):
    """A tunnel of IPv4 in IPv4 to whatever gateway a route names."""

    name: str
    local: str
    """Outer source address."""
    mtu: int
    reason: str = field(default="", compare=False)


class Ipip(Backend):
    """IPv4 in IPv4."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.direct_routing = flag(options, "DirectRouting")

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """Peers need the public IP, and whether it can be a gateway."""
        return behind_nat(version, facts)

    def overhead(self, version: int) -> int:
        """The outer header."""
        return OVERHEAD

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The device and its address."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        if family.version != 4:
            return Desired(problems=("the ipip backend carries IPv4 only; IPv6 needs vxlan, wireguard or host-gw",))
        device = IpipLink(LINK, str(underlay.source(mine.public_ip)), underlay.mtu - OVERHEAD, "ipip backend")
        address = LinkAddress(LINK, f"{mine.subnet.network_address}/32", "own subnet's tunnel endpoint")
        return Desired(device, address)

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """A route through the tunnel, or a direct one."""
        theirs = peer.family(family.version)
        if theirs is None or family.version != 4:
            return Desired()
        direct = self.direct_routing and underlay.next_to(theirs)
        device = underlay.link if direct else LINK
        return Desired(
            PeerRoute(str(theirs.subnet), str(theirs.public_ip), device, onlink=not direct, reason=peer.reason)
        )


class IpipDevices(LinkKind[IpipLink]):
    """Devices of the ipip backend."""

    type = IpipLink
    link_kind = module = "ipip"
    pattern = re.compile(r"flannel\.ipip")

    def fits(self, want: IpipLink, have: Link, links: Mapping[str, Link]) -> bool:
        return have.ipip is not None and (have.ipip.local, have.ipip.remote) == (want.local, "")

    def create(self, nl: Netlink, want: IpipLink, links: Mapping[str, Link]) -> None:
        link.add_ipip(nl, want.name, local=want.local, mtu=want.mtu, up=True)

    def describe(self, want: IpipLink) -> str:
        return f"ipip local {want.local}"

    def recover(self, have: Observed, leases: Collection[Lease]) -> Recovery:
        return Recovery({IPIP.name: {}} if any(map(self.is_ours, have.ours.values())) else {})


IPIP = BackendType(name="ipip", make=Ipip, devices=lambda options: (IpipDevices(),))
