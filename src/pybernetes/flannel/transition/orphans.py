"""Removes routes on our links that Go flanneld left to nodes which no longer exist.

Its routes to existing nodes are replaced by ours in place. Routes to nodes that were removed while no flanneld ran do
not have our protocol number, and would stay. They are recognised by their form: on our link, to a subnet of the pod
network, with the subnet's first address as gateway. Other routes on the link are left alone.
"""

import ipaddress
import logging
from collections.abc import Callable, Mapping, Sequence

from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Node
from pybernetes.flannel.metrics import FlannelMetrics
from pybernetes.linux import ipmsg, link, route
from pybernetes.linux.rtnl import Netlink

log = logging.getLogger(__name__)


def _is_lease(config: NetworkConfig, found: route.Route) -> bool:
    subnet = ipaddress.ip_network(found.dst)
    family = config.family(subnet.version)
    inside = family is not None and subnet.subnet_of(family.network)  # type: ignore[arg-type]  # the family is the same
    return inside and found.gateway == str(subnet.network_address)


class OrphanRoutes:
    """Works once, at the first pass; afterwards all routes here are ours."""

    def __init__(self, netns: str | None, is_ours: Callable[[link.Link], bool]) -> None:
        self._is_ours = is_ours
        self._netns = netns
        self._looked = False

    def start(self, changed: Callable[[], None]) -> None:
        """No events."""

    def measure(self, metrics: FlannelMetrics) -> None:
        """No figures."""

    async def prepare(self, config: NetworkConfig) -> Mapping[str, str]:
        """Nothing to announce."""
        return {}

    async def apply(self, config: NetworkConfig, me: Node, want: Desired) -> Sequence[str]:
        """Remove them. Only routes with `proto boot`, as Go flanneld and `ip route` make them, are considered."""
        if self._looked:
            return ()
        wanted = {r.dst for r in want.routes}
        with Netlink(self._netns) as nl:
            for found in link.links(nl):
                if not self._is_ours(found):
                    continue
                for orphan in route.routes(nl, protocol=ipmsg.RTPROT_BOOT, device=found.index):
                    if orphan.dst not in wanted and _is_lease(config, orphan):
                        route.ensure_deleted(nl, orphan)
                        log.info("route to %s dev %s removed: no node has that subnet", orphan.dst, found.name)
        self._looked = True
        return ()

    async def close(self) -> None:
        """Nothing to stop."""
