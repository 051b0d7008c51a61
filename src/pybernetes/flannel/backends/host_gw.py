"""host-gw: each node is the gateway to its own subnet; no encapsulation.

In the kernel, per peer:

| object | value |
|---|---|
| route | `<peer subnet> via <peer public IP> dev <interface>` |

All nodes must be on one L2 segment: the gateway has to be a neighbour. A peer behind a router is reported by name and
gets no route, since its packets would be lost.
"""

from collections.abc import Mapping
from typing import Any

from pybernetes.flannel.backends.contract import Backend, BackendType
from pybernetes.flannel.backends.options import behind_nat
from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.kernel.desired import Desired, PeerRoute
from pybernetes.flannel.leases.lease import BEHIND_NAT, Lease, Underlay


class HostGateway(Backend):
    """Plain routes through the peers."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """Peers need the public IP, and whether it can be a gateway."""
        return behind_nat(version, facts)

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """Nothing is needed to receive."""
        return Desired()

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """One route."""
        theirs = peer.family(family.version)
        if theirs is None:
            return Desired()
        if not underlay.next_to(theirs):
            nat = f"is behind NAT (its own address is {theirs.data.get(BEHIND_NAT)!s:.45})"
            why = nat if BEHIND_NAT in theirs.data else f"is not on the segment of {underlay.link}"
            return Desired(
                problems=(
                    f"{peer.node} ({theirs.public_ip}) {why}: host-gw can't reach {theirs.subnet};"
                    f" use vxlan, or vxlan with DirectRouting",
                )
            )
        route = PeerRoute(str(theirs.subnet), str(theirs.public_ip), underlay.link, reason=peer.reason)
        return Desired(route)


HOST_GW = BackendType(name="host-gw", make=HostGateway)
