"""udp: pod packets travel in UDP datagrams that a process of ours sends and receives. For where nothing else works.

In the kernel:

| object | value |
|---|---|
| link | `flannel0`, a TUN device, MTU = underlay's - 28 |
| address | the subnet's network address, /32, so that host traffic has a source |
| route | the pod network `dev flannel0`; the node's own subnet has a narrower route on its bridge |

and the proxy (`proxy.py`): it knows each peer's subnet and public IP, and listens on port 8285 of the
node's own. IPv4 only, as in Go flannel. A change of Port loses packets until both ends have it, since leases do not
contain it, as in Go flannel.
"""

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pybernetes.flannel.backends.actor import Actor
from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.options import number
from pybernetes.flannel.backends.udp.ends import UdpEnd, UdpPeer
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, Device, LinkAddress, PeerRoute, merge
from pybernetes.flannel.kernel.kind import Recovery
from pybernetes.flannel.kernel.links import LinkKind
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import Lease, Underlay
from pybernetes.flannel.options import FlannelOptions
from pybernetes.linux import link
from pybernetes.linux.link import Link
from pybernetes.linux.rtnl import Netlink

DEFAULT_PORT = 8285
LINK = "flannel0"
#: Outer IP and UDP headers.
OVERHEAD = 28


@dataclass(frozen=True, slots=True)
class TunLink(Device):
    """A TUN device, which a process of ours reads and writes."""

    name: str
    mtu: int
    reason: str = field(default="", compare=False)


class Udp(Backend):
    """A tunnel in user space."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.port = number(options, "Port", DEFAULT_PORT, 1, 65535)

    def overhead(self, version: int) -> int:
        """The outer headers."""
        return OVERHEAD

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The device, and the proxy's configuration."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        if family.version != 4:
            return Desired(problems=("the udp backend carries IPv4 only; IPv6 needs vxlan or host-gw",))
        local = underlay.source(mine.public_ip)
        address, network = str(mine.subnet.network_address), str(family.network)
        mtu = underlay.mtu - OVERHEAD
        return Desired(
            TunLink(LINK, mtu, "udp backend"),
            LinkAddress(LINK, f"{address}/32", "own subnet's tunnel endpoint"),
            PeerRoute(network, "", LINK, reason="udp backend"),
            UdpEnd(LINK, str(local), self.port, mtu, network),
        )

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """One line of the proxy's table."""
        theirs = peer.family(family.version)
        if theirs is None or family.version != 4:
            return Desired()
        return Desired(UdpPeer(str(theirs.subnet), str(theirs.public_ip), self.port, peer.reason))

    def across_peers(self, family: FamilyConfig, own: Lease, peers: Sequence[Lease], underlay: Underlay) -> Desired:
        """Peers that announce another backend are in the table too: until their new route is there, they are reached
        through the device, and a peer that still listens accepts the packets.
        """
        return merge(self.peer(family, own, peer, underlay) for peer in peers)


class TunDevices(LinkKind[TunLink]):
    """Devices of the udp backend."""

    type = TunLink
    link_kind = module = "tun"
    pattern = re.compile(r"flannel\d+")

    def fits(self, want: TunLink, have: Link, links: Mapping[str, Link]) -> bool:
        return have.kind == "tun"

    def create(self, nl: Netlink, want: TunLink, links: Mapping[str, Link]) -> None:
        os.close(link.add_tun(nl, want.name, offload=True))
        self.adjust(nl, want)

    def describe(self, want: TunLink) -> str:
        return "tun"

    def recover(self, have: Observed, leases: Collection[Lease]) -> Recovery:
        return Recovery({UDP.name: {}} if any(map(self.is_ours, have.ours.values())) else {})


def _actors(options: FlannelOptions) -> Sequence[Actor]:
    from pybernetes.flannel.backends.udp.actor import UdpActor

    return (UdpActor(options.netns),)


UDP = BackendType(name="udp", make=Udp, devices=lambda options: (TunDevices(),), actors=_actors)
