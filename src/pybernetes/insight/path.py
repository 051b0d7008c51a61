"""Follow a packet from namespace to namespace through the kernel state of each. Pure: facts in, hops out."""

from collections.abc import Iterator

from pybernetes.flannel.backends import BACKENDS, make_for_peers
from pybernetes.flannel.backends.bgp.learned import is_learned
from pybernetes.flannel.kernel.routes import ROUTE_PROTOCOL
from pybernetes.flannel.leases.lease import Lease
from pybernetes.insight import fib
from pybernetes.insight.facts import KernelFacts, NodeFacts, PodFacts, TraceFacts
from pybernetes.insight.hop import Hop, State
from pybernetes.insight.path_parts import DEFAULTS, check_forward, lease_of, lost, node_at, route_text, underlay
from pybernetes.insight.snat import Packet, masquerade
from pybernetes.insight.tunnels import cross_tunnel
from pybernetes.linux.link import Link
from pybernetes.linux.route import Route


def leave_pod(pod: PodFacts, node: NodeFacts, target: str) -> Iterator[Hop]:
    """From the pod's network namespace to its node's. Raises Lost."""
    where = f"pod {pod.name}"
    if pod.kernel is None:
        yield from lost(where, f"no network namespace has {pod.ip}", f"the pod is {pod.phase}")
        return
    route = fib.lookup(pod.kernel, target)
    if route is None:
        yield from lost(where, f"no route to {target}", "the default route, which CNI added, is missing")
        return
    link = pod.kernel.link(route.device)
    name = link.name if link else "?"
    yield Hop(where, f"{pod.ip}: route {route_text(route, pod.kernel)}", "added by CNI when the pod was attached")
    kernel = node.kernel
    if kernel is None:
        yield from lost(node.name, "its network namespace is missing", "the node is down")
        return
    port = next((li for li in kernel.links if link and li.index == link.peer and li.kind == "veth"), None)
    bridge = kernel.link(port.master) if port is not None and port.master else None
    if port is None or not port.up:
        state = f"the peer {port.name} is down" if port else f"{name} has no veth peer"
        yield from lost(node.name, state, f"the veth pair of {pod.name} is broken: delete the pod")
    elif bridge is None and kernel.link("cni0") is None:
        yield from lost(node.name, f"{port.name} is not on a bridge", "cni0 was deleted; the node agent recreates it")
    elif bridge is None:
        yield from lost(node.name, f"{port.name} is not on a bridge", f"the port of {pod.name} was removed from cni0")
    elif not bridge.up:
        yield from lost(node.name, f"{bridge.name} is down", "it was set down; the node agent sets it up")
    elif route.gateway and kernel.owner(route.gateway) is None:
        yield from lost(node.name, f"no link has {route.gateway}", f"the gateway address of {bridge.name} is missing")
    else:
        yield Hop(node.name, f"{port.name} -> bridge {bridge.name}", f"port of {pod.name}")


def cross(facts: TraceFacts, node: NodeFacts, packet: Packet) -> Iterator[Hop]:
    """From a node to the packet's target. Raises Lost."""
    kernel = node.kernel
    if kernel is None:
        yield from lost(node.name, "its network namespace is missing", "the node is down")
        return
    route = fib.lookup(kernel, packet.target)
    lease, part = lease_of(facts, packet.target)
    if route is None or (part is not None and route.dst in DEFAULTS):
        gone = f"no route to {part.subnet if part else packet.target}"
        if route is not None:
            gone += f"; the packet would take the default route via {route.gateway}"
        why = f"the route of the lease of {lease.node} is missing" if lease else "no lease contains this address"
        yield from lost(node.name, gone, why)
        return
    if route.kind == "local":
        yield Hop(node.name, f"{packet.target} is a local address", facts.name_of(packet.target))
        return
    link = kernel.link(route.device)
    if link is None or route.kind != "unicast":
        yield from lost(node.name, f"route {route.dst} is {route.kind}", "routes of this type discard packets")
        return
    if not kernel.forwards.get(route.family, True) and kernel.owner(packet.source) is None:
        yield from lost(node.name, "the node does not forward packets", "net.ipv4.ip_forward is 0")
    yield Hop(node.name, f"route {route_text(route, kernel)}", _reason(route, link, lease, facts))
    yield from check_forward(node, kernel, packet, link)
    if link.kind == "bridge":
        yield from deliver(facts, node, link, packet)
        return
    yield _source(node, kernel, packet, link)
    crossing = cross_tunnel(facts, node, link, route, packet)
    if crossing is None:
        yield from _direct(facts, node, link, route, packet)
    else:
        peer = yield from crossing
        yield from _onward(facts, peer, packet)


def _source(node: NodeFacts, kernel: KernelFacts, packet: Packet, link: Link) -> Hop:
    result = masquerade(kernel, packet)
    if not result.changed:
        return Hop(node.name, f"source stays {packet.source}", f"masquerade: {result.rule}")
    version = ":" in packet.source
    own = next((a.ip for a in kernel.addresses if a.index == link.index and (":" in a.ip) == version), "?")
    return Hop(node.name, f"source {packet.source} becomes {own}", f"masquerade: {result.rule}")


def _direct(facts: TraceFacts, node: NodeFacts, link: Link, route: Route, packet: Packet) -> Iterator[Hop]:
    kernel = node.kernel
    assert kernel is not None
    outer = route.gateway or packet.target
    if not link.running:
        yield from lost(node.name, f"{link.name} is down", "the underlay network is down here")
        return
    known = next((n for n in kernel.neighbours if n.index == link.index and n.ip == outer), None)
    if known is not None and known.state & 0x20:
        yield from lost(node.name, f"{outer} does not answer ARP on {link.name}", "it is down, or on another segment")
        return
    near = fib.neighbour(kernel, link.index, outer)
    mac = f"lladdr {near.mac}" if near else "is resolved by ARP"
    yield Hop(node.name, f"neighbour {outer} {mac} dev {link.name}", facts.name_of(outer))
    peer = node_at(facts, outer)
    if peer is None:
        beyond, part = lease_of(facts, packet.target)
        if beyond is None or part is None:
            yield Hop(outer, f"leaves the cluster towards {packet.target}", "an external router forwards it from here")
            return
        peer = facts.cluster.node(beyond.node)
        if peer is None or not is_learned(route):
            yield from lost(outer, "not a node", f"the route differs from the lease of {beyond.node}")
            return
        why = "a router that has learned the route, too; its state is not visible from here"
        yield Hop(outer, f"forwards it to {beyond.node}", why, State.DOUBT)
        outer = str(part.public_ip)
    if peer.kernel is None:
        yield from lost(peer.name, "its network namespace is missing", "the node is down")
        return
    yield from underlay(peer, peer.kernel, outer)
    yield from _onward(facts, peer, packet)


def _onward(facts: TraceFacts, peer: NodeFacts, packet: Packet) -> Iterator[Hop]:
    """On the target's node: the packet must not leave it again."""
    assert peer.kernel is not None
    route = fib.lookup(peer.kernel, packet.target)
    link = peer.kernel.link(route.device) if route else None
    if route is not None and route.kind == "local":
        yield Hop(peer.name, f"{packet.target} is a local address", facts.name_of(packet.target))
    elif route is None or link is None or link.kind != "bridge":
        how = route_text(route, peer.kernel) if route else "no route"
        yield from lost(peer.name, f"{how} for {packet.target}", "the bridge, or its address, is missing")
    else:
        yield Hop(peer.name, f"route {route_text(route, peer.kernel)}", "the node's own subnet, added by CNI")
        yield from check_forward(peer, peer.kernel, packet, link)
        yield from deliver(facts, peer, link, packet)


def deliver(facts: TraceFacts, node: NodeFacts, bridge: Link, packet: Packet) -> Iterator[Hop]:
    """From a node's bridge into the pod. Raises Lost."""
    kernel = node.kernel
    assert kernel is not None
    pod = facts.pods.get(packet.target)
    if not bridge.up:
        yield from lost(node.name, f"{bridge.name} is down", "it was set down; the node agent sets it up")
    if pod is None or pod.kernel is None:
        known = f"pod {pod.name} is {pod.phase}" if pod else "no pod has this address"
        yield from lost(node.name, f"no port of {bridge.name} has {packet.target}", known)
        return
    inner = next((li for li in pod.kernel.links if pod.kernel.owner(packet.target) == li), None)
    port = next((li for li in kernel.links if inner is not None and li.index == inner.peer), None)
    if inner is None or port is None or port.master != bridge.index:
        what = f"{port.name} is not on {bridge.name}" if port else f"pod {pod.name} has no veth peer here"
        yield from lost(node.name, what, f"the veth pair of {pod.name} was changed; the node agent repairs the bridge")
        return
    if not (inner.up and port.up):
        yield from lost(node.name, f"{port.name} is down", f"the veth pair of {pod.name} was set down")
    near = fib.neighbour(kernel, bridge.index, packet.target)
    if near is not None and near.mac != inner.mac and near.permanent:
        yield from lost(node.name, f"neighbour {packet.target} is {near.mac}", f"the pod's MAC is {inner.mac}")
    learned = fib.bridge_port(kernel, bridge, inner.mac)
    how = f"neighbour {packet.target} lladdr {inner.mac}, " + (
        f"fdb -> {port.name}" if learned else f"the bridge floods all ports, {port.name} answers"
    )
    yield Hop(node.name, how, f"port of {pod.name}")
    yield Hop(f"pod {pod.name}", f"arrives at {inner.name} {packet.target}", f"pod {pod.name} on {node.name}")


def _reason(route: Route, link: Link, lease: Lease | None, facts: TraceFacts) -> str:
    if route.protocol == ROUTE_PROTOCOL and lease is not None:
        tunnelled = lease.backend in BACKENDS and make_for_peers(lease.backend, None).overhead(route.family) > 0
        direct = tunnelled and not link.name.startswith("flannel")
        return f"lease of {lease.node}{'; same segment, so not through the tunnel: DirectRouting' if direct else ''}"
    if is_learned(route) and lease is not None:
        own = [str(part.public_ip) for part in lease.families]
        by = "" if route.gateway in own else f", through {facts.name_of(route.gateway)}"
        return f"announced by {lease.node} over BGP, installed by BIRD{by}"
    if lease is not None and route.protocol == 2:
        return f"subnet of {lease.node} itself, added by CNI"
    if route.dst in DEFAULTS:
        return "default route: leaves the cluster"
    return "added by the kernel for the link's address" if route.protocol == 2 else f"protocol {route.protocol}"
