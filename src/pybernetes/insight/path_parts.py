"""What all parts of a packet's path share: the node that has an address, the text of a route, the lost packet. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address

from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.insight import fib
from pybernetes.insight.facts import KernelFacts, NodeFacts, TraceFacts
from pybernetes.insight.filters import Packet, bases
from pybernetes.insight.hop import Hop, State
from pybernetes.linux.link import Link
from pybernetes.linux.route import Route

DEFAULTS = ("0.0.0.0/0", "::/0")


class Lost(Exception):
    """The packet is lost here. The hop that explains it has already been yielded."""


def underlay(peer: NodeFacts, kernel: KernelFacts, outer: str) -> Iterator[Hop]:
    """The hop at which the outer packet arrives on a node. Raises Lost."""
    link = kernel.owner(outer)
    if link is None or not link.running:
        yield from lost(peer.name, f"{link.name if link else outer} is down", "the node is cut off")
        return
    doubt = State.OK if peer.ready else State.DOUBT
    why = f"public address of {peer.name}"
    yield Hop(peer.name, f"arrives at {link.name}", why if peer.ready else f"{why}; NotReady: {peer.ready_text}", doubt)


def check_forward(node: NodeFacts, kernel: KernelFacts, packet: Packet, leaves: Link) -> Iterator[Hop]:
    """Check the packet filter of a forwarding node; yield a hop only if it drops the packet. Raises Lost."""
    if kernel.owner(packet.source) is not None:
        return  # sent by the node itself, not forwarded
    back = fib.lookup(kernel, packet.source)
    came = kernel.name(back.device) if back is not None and back.device else ""
    for base in bases(kernel, "forward", "filter", replace(packet, in_link=came, out_link=leaves.name)):
        found = base.decide()
        if found.verdict not in ("drop", "reject"):
            continue
        what = f"{found.chain}: {found.rule or 'policy'} {found.verdict}"
        if found.sure:
            yield from lost(node.name, what, "a packet filter outside the cluster; 'network check' shows the fix")
        yield Hop(node.name, what, "unless a rule that this tool cannot evaluate accepts it", State.DOUBT)


def lease_of(facts: TraceFacts, ip: str) -> tuple[Lease | None, FamilyLease | None]:
    """The lease whose subnet contains the address, and its part for that family."""
    address = ip_address(ip)
    for lease in facts.cluster.leases:
        for part in lease.families:
            if address.version == part.subnet.version and address in part.subnet:
                return lease, part
    return None, None


def node_at(facts: TraceFacts, ip: str) -> NodeFacts | None:
    """The node that has the address on a link, or else announces it in its lease."""
    for node in facts.cluster.nodes:
        if node.kernel is not None and node.kernel.owner(ip) is not None:
            return node
    named = (n for n in facts.cluster.nodes if n.lease and any(str(p.public_ip) == ip for p in n.lease.families))
    return next(named, None)


def route_text(route: Route, kernel: KernelFacts) -> str:
    """The route in the form of `ip route`."""
    dst = "default" if route.dst in DEFAULTS else route.dst
    via = f" via {route.gateway}" if route.gateway else ""
    return f"{dst}{via} dev {kernel.name(route.device)}{' onlink' if route.onlink else ''}"


def lost(where: str, what: str, why: str) -> Iterator[Hop]:
    """Yield the last hop, then raise Lost."""
    yield Hop(where, what, why, State.LOST)
    raise Lost
