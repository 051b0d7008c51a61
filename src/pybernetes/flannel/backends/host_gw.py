"""host-gw: each node is the gateway to its own subnet; no encapsulation.

In the kernel, per peer:

| object | value |
|---|---|
| route | `<peer subnet> via <peer public IP> dev <interface>` |

All nodes must share one L2 segment: the gateway has to be a neighbour. A peer behind a router is reported by name
and gets no route, since a route would send its packets into a hole.
"""

from collections.abc import Mapping
from typing import Any

from pybernetes.flannel.config import FamilyConfig
from pybernetes.flannel.desired import Desired, PeerRoute
from pybernetes.flannel.lease import Lease, Underlay


class HostGateway:
    """Plain routes through the peers."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        del options

    def announce(self, version: int, facts: Mapping[str, str]) -> dict[str, Any]:
        """Peers need nothing but the public IP."""
        return {}

    def overhead(self, version: int) -> int:
        """Nothing is wrapped."""
        return 0

    def local(self, family: FamilyConfig, own: Lease, underlay: Underlay) -> Desired:
        """Receiving needs nothing of ours."""
        return Desired()

    def peer(self, family: FamilyConfig, own: Lease, peer: Lease, underlay: Underlay) -> Desired:
        """One route."""
        theirs = peer.family(family.version)
        if theirs is None:
            return Desired()
        if not underlay.on_segment(theirs.public_ip):
            return Desired(
                problems=(
                    f"{peer.node} ({theirs.public_ip}) is not on the segment of {underlay.link}: host-gw can't reach "
                    f"{theirs.subnet}; use vxlan, or vxlan with DirectRouting",
                )
            )
        route = PeerRoute(str(theirs.subnet), str(theirs.public_ip), underlay.link, reason=peer.reason)
        return Desired(routes=(route,))
