"""The kernel state that flannel wants on a node, computed by its own backends, for `network check` to compare. Pure."""

from collections.abc import Iterator
from ipaddress import ip_interface

from pybernetes.flannel import network
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.leases.lease import Lease, Node, Underlay
from pybernetes.insight.facts import ClusterFacts, KernelFacts, NodeFacts
from pybernetes.linux.link import Link


def underlay(kernel: KernelFacts, lease: Lease) -> Underlay | None:
    """The interface with the lease's public address, or else the one of the default route."""
    found = next((li for part in lease.families if (li := kernel.owner(str(part.public_ip))) is not None), None)
    found = found or default_link(kernel)
    if found is None:
        return None
    own = [ip_interface(a.cidr) for a in kernel.addresses if a.index == found.index and a.scope == 0]
    return Underlay(found.name, found.index, found.mtu, tuple(own))


def default_link(kernel: KernelFacts) -> Link | None:
    """The interface of the default route with the lowest metric, IPv4 first."""
    defaults = [r for r in kernel.routes if r.dst in ("0.0.0.0/0", "::/0") and r.device and r.kind == "unicast"]
    best = min(defaults, key=lambda r: (r.family, r.metric), default=None)
    return kernel.link(best.device) if best else None


def desired(cluster: ClusterFacts, node: NodeFacts) -> Desired | None:
    """The kernel objects that this node should have; None if it has no lease or no usable interface."""
    if node.lease is None or node.kernel is None:
        return None
    below = underlay(node.kernel, node.lease)
    if below is None:
        return None
    me = Node(node.lease, below)
    return network.desired_state(cluster.config, me, cluster.leases, linger=frozenset())


def mtu(cluster: ClusterFacts, node: NodeFacts) -> int:
    """The MTU that pods of this node should have; 0 if it has no lease or no usable interface."""
    if node.lease is None or node.kernel is None:
        return 0
    below = underlay(node.kernel, node.lease)
    return network.mtu(cluster.config, below) if below else 0


def pairs(cluster: ClusterFacts) -> Iterator[tuple[NodeFacts, NodeFacts]]:
    """Every ordered pair of nodes that take part in the pod network."""
    members = [node for node in cluster.nodes if node.lease is not None and node.kernel is not None]
    for node in members:
        for peer in members:
            if peer is not node:
                yield node, peer
