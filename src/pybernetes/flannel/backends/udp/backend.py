"""udp: pod packets travel in UDP datagrams that a process of ours sends and receives. For where nothing else works.

In the kernel:

| object | value |
|---|---|
| link | `flannel0`, a TUN device, MTU = underlay's - 28 |
| address | the subnet's network address, /32, so that host traffic has a source |
| route | the whole network `dev flannel0`; the node's own subnet has a narrower one on its bridge |

and beside it the proxy (`flannel/udp`): it knows each peer's subnet and public IP, and listens on port 8285 of the
node's own. IPv4 only, as in the original. A change of Port while pods talk loses packets until both ends have it, since
leases do not tell it, as the original's.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pybernetes.flannel.backends.options import number
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, LinkAddress, PeerRoute, TunLink, UdpEnd, UdpPeer, merge
from pybernetes.flannel.leases.lease import Lease, Underlay

DEFAULT_PORT = 8285
LINK = "flannel0"
#: Outer IP and UDP headers.
OVERHEAD = 28


class Udp:
    """A tunnel in user space."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self.port = number(options, "Port", DEFAULT_PORT, 1, 65535)

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """Peers need nothing but the public IP; the port is everybody's."""
        return {}

    def overhead(self, version: int) -> int:
        """The outer headers."""
        return OVERHEAD

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """The device, and our end of the proxy."""
        mine = own.family(family.version)
        if mine is None:
            return Desired()
        if family.version != 4:
            return Desired(problems=("the udp backend carries IPv4 only; IPv6 needs vxlan or host-gw",))
        local = underlay.source(mine.public_ip)
        address, network = str(mine.subnet.network_address), str(family.network)
        mtu = underlay.mtu - OVERHEAD
        return Desired(
            tuns=(TunLink(LINK, mtu, "udp backend"),),
            addresses=(LinkAddress(LINK, f"{address}/32", "own subnet's tunnel endpoint"),),
            routes=(PeerRoute(network, "", LINK, reason="udp backend"),),
            udp_ends=(UdpEnd(LINK, str(local), self.port, mtu, network),),
        )

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """One line of the proxy's table."""
        theirs = peer.family(family.version)
        if theirs is None or family.version != 4:
            return Desired()
        return Desired(udp_peers=(UdpPeer(str(theirs.subnet), str(theirs.public_ip), self.port, peer.reason),))

    def tell(self, family: FamilyConfig, own: Lease, peers: Sequence[Lease], underlay: Underlay) -> Desired:
        """The table has those too that announce another backend: until their new route is there, they are reached
        through the device, and a peer that listens still takes it.
        """
        return merge(self.peer(family, own, peer, underlay) for peer in peers)
