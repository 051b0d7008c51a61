"""What every part of a packet's way is told with: who has an address, how a route reads, where it ends. Pure."""

from collections.abc import Iterator
from ipaddress import ip_address

from pybernetes.cluster.insight.facts import KernelFacts, NodeFacts
from pybernetes.cluster.insight.hops import Hop, State, World
from pybernetes.flannel.lease import FamilyLease, Lease
from pybernetes.linux.route import Route

DEFAULTS = ("0.0.0.0/0", "::/0")


class Lost(Exception):
    """The packet ends here; the hop that says so has been given out."""


def underlay(peer: NodeFacts, kernel: KernelFacts, outer: str) -> Iterator[Hop]:
    """Arrival at a node's interface. Raises Lost."""
    link = kernel.owner(outer)
    if link is None or not link.running:
        yield from lost(peer.name, f"{link.name if link else outer} is down", "the node is cut off")
        return
    doubt = State.OK if peer.ready else State.DOUBT
    why = f"public address of {peer.name}"
    yield Hop(peer.name, f"arrives at {link.name}", why if peer.ready else f"{why}; NotReady: {peer.ready_text}", doubt)


def lease_of(world: World, ip: str) -> tuple[Lease | None, FamilyLease | None]:
    """The lease whose subnet an address is in."""
    address = ip_address(ip)
    for lease in world.cluster.leases:
        for part in lease.families:
            if address.version == part.subnet.version and address in part.subnet:
                return lease, part
    return None, None


def arrival(world: World, ip: str) -> NodeFacts | None:
    """The node that has an address, by its kernel, else by its lease."""
    for node in world.cluster.nodes:
        if node.kernel is not None and node.kernel.owner(ip) is not None:
            return node
    named = (n for n in world.cluster.nodes if n.lease and any(str(p.public_ip) == ip for p in n.lease.families))
    return next(named, None)


def route_text(route: Route, kernel: KernelFacts) -> str:
    """As `ip route` shows it."""
    dst = "default" if route.dst in DEFAULTS else route.dst
    via = f" via {route.gateway}" if route.gateway else ""
    return f"{dst}{via} dev {kernel.name(route.device)}{' onlink' if route.onlink else ''}"


def lost(where: str, what: str, why: str) -> Iterator[Hop]:
    """The last hop. Raises Lost."""
    yield Hop(where, what, why, State.LOST)
    raise Lost
