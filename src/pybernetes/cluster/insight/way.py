"""Following a packet from namespace to namespace through what is in the kernels. Pure: facts in, hops out."""

from collections.abc import Iterator
from ipaddress import ip_address

from pybernetes.cluster.insight import fib
from pybernetes.cluster.insight.facts import KernelFacts, NodeFacts
from pybernetes.cluster.insight.hops import Hop, PodFacts, State, World
from pybernetes.cluster.insight.snat import Packet, masquerade
from pybernetes.flannel.kernel import ROUTE_PROTOCOL
from pybernetes.flannel.lease import FamilyLease, Lease
from pybernetes.linux.link import Link
from pybernetes.linux.route import Route

_DEFAULTS = ("0.0.0.0/0", "::/0")


class Lost(Exception):
    """The packet ends here; the hop that says so has been given out."""


def leave_pod(pod: PodFacts, node: NodeFacts, target: str) -> Iterator[Hop]:
    """From the pod's own namespace to its node's. Raises Lost."""
    where = f"pod {pod.name}"
    if pod.kernel is None:
        yield from _lost(where, f"has no network namespace with {pod.ip}", f"the pod is {pod.phase}")
        return
    route = fib.lookup(pod.kernel, target)
    if route is None:
        yield from _lost(where, f"no route to {target}", "its default route, which CNI made, is gone")
        return
    link = pod.kernel.link(route.device)
    name = link.name if link else "?"
    yield Hop(where, f"{pod.ip}: route {route_text(route, pod.kernel)}", "made by CNI when the pod was attached")
    kernel = node.kernel
    if kernel is None:
        yield from _lost(node.name, "its network namespace is gone", "the node is down")
        return
    port = next((li for li in kernel.links if link and li.index == link.peer and li.kind == "veth"), None)
    bridge = kernel.link(port.master) if port is not None and port.master else None
    if port is None or not port.up:
        state = f"its end {port.name} is down" if port else f"{name} has no other end"
        yield from _lost(node.name, state, f"the veth pair of {pod.name} is broken: delete the pod")
    elif bridge is None and kernel.link("cni0") is None:
        yield from _lost(node.name, f"{port.name} is on no bridge", "cni0 was deleted; the node agent makes it again")
    elif bridge is None:
        yield from _lost(node.name, f"{port.name} is on no bridge", f"somebody took the port of {pod.name} off cni0")
    elif not bridge.up:
        yield from _lost(node.name, f"{bridge.name} is down", "somebody set it down; the node agent sets it up")
    elif route.gateway and kernel.owner(route.gateway) is None:
        yield from _lost(node.name, f"nothing has {route.gateway}", f"{bridge.name} lost its address, the gateway")
    else:
        yield Hop(node.name, f"{port.name} -> bridge {bridge.name}", f"port of {pod.name}")


def cross(world: World, node: NodeFacts, packet: Packet) -> Iterator[Hop]:
    """From a node to where the packet's target lives. Raises Lost."""
    kernel = node.kernel
    if kernel is None:
        yield from _lost(node.name, "its network namespace is gone", "the node is down")
        return
    route = fib.lookup(kernel, packet.target)
    lease, part = lease_of(world, packet.target)
    if route is None or (part is not None and route.dst in _DEFAULTS):
        gone = f"no route to {part.subnet if part else packet.target}"
        if route is not None:
            gone += f"; it would leave by the default route via {route.gateway}"
        why = f"the route of the lease of {lease.node} is missing" if lease else "nothing leads there"
        yield from _lost(node.name, gone, why)
        return
    if route.kind == "local":
        yield Hop(node.name, f"{packet.target} is its own", world.name_of(packet.target))
        return
    link = kernel.link(route.device)
    if link is None or route.kind != "unicast":
        yield from _lost(node.name, f"route {route.dst} is {route.kind}", "such routes discard packets")
        return
    if not kernel.forwards.get(route.family, True) and kernel.owner(packet.source) is None:
        yield from _lost(node.name, "does not forward packets", "net.ipv4.ip_forward is 0")
    yield Hop(node.name, f"route {route_text(route, kernel)}", _reason(route, lease, world))
    if link.kind == "bridge":
        yield from deliver(world, node, link, packet)
        return
    yield _source(node, kernel, packet, link)
    if link.vxlan is not None:
        yield from _through_tunnel(world, node, link, route, packet)
    elif link.kind == "tun":
        yield from _through_proxy(world, node, link, packet)
    else:
        yield from _direct(world, node, link, route, packet)


def _source(node: NodeFacts, kernel: KernelFacts, packet: Packet, link: Link) -> Hop:
    result = masquerade(kernel, packet)
    if not result.changed:
        return Hop(node.name, f"source stays {packet.source}", f"masquerade: {result.rule}")
    version = ":" in packet.source
    own = next((a.ip for a in kernel.addresses if a.index == link.index and (":" in a.ip) == version), "?")
    return Hop(node.name, f"source {packet.source} becomes {own}", f"masquerade: {result.rule}")


def _through_tunnel(world: World, node: NodeFacts, link: Link, route: Route, packet: Packet) -> Iterator[Hop]:
    kernel = node.kernel
    assert kernel is not None
    lease, _ = lease_of(world, packet.target)
    owner = f"lease of {lease.node}" if lease else "no lease"
    near = fib.neighbour(kernel, link.index, route.gateway or packet.target)
    if near is None:
        yield from _lost(node.name, f"{link.name} knows no MAC for {route.gateway}", f"neighbour of {owner} is missing")
        return
    yield Hop(node.name, f"neighbour {near.ip} lladdr {near.mac} dev {link.name}", owner)
    ends = fib.tunnel_ends(kernel, link.index, near.mac)
    if not ends:
        yield from _lost(node.name, f"no FDB entry for {near.mac} on {link.name}", f"FDB entry of {owner} is missing")
        return
    outer = ends[0]
    yield Hop(node.name, f"fdb {near.mac} dst {outer} dev {link.name}", owner)
    info = link.vxlan
    assert info is not None
    below = fib.lookup(kernel, outer)
    via = kernel.link(below.device) if below else None
    if below is None or via is None or not via.running:
        what = f"{via.name} is down" if via else f"no route to {outer}"
        yield from _lost(node.name, what, "the network under the nodes is broken here")
        return
    text = f"outer {info.local} -> {outer} UDP {info.port} VNI {info.vni}, {route_text(below, kernel)}"
    yield Hop(node.name, text, f"public addresses of {world.name_of(info.local)} and {world.name_of(outer)}")
    peer = _arrival(world, outer)
    if peer is None:
        yield from _lost(outer, "no node has this address", f"the FDB entry differs from the {owner}")
        return
    yield from _receive_tunnel(peer, near.mac, info.vni, info.port, outer)
    yield from _onward(world, peer, packet)


def _through_proxy(world: World, node: NodeFacts, link: Link, packet: Packet) -> Iterator[Hop]:
    """The udp backend: a process of ours carries the packet; where to is not in the kernel but in the lease."""
    lease, part = lease_of(world, packet.target)
    peer = world.cluster.node(lease.node) if lease else None
    if lease is None or part is None or peer is None or peer.kernel is None:
        yield from _lost(node.name, f"{link.name}: nobody to send to", "no lease has this address, or its node is gone")
        return
    if not node.agent:
        yield from _lost(node.name, f"nobody reads {link.name}", f"the agent of {node.name} does not run")
    yield Hop(node.name, f"{link.name}: the agent sends it by UDP to {part.public_ip}", f"lease of {lease.node}")
    yield from _underlay(peer, peer.kernel, str(part.public_ip))
    if not peer.agent:
        yield from _lost(peer.name, "nobody takes it from UDP", f"the agent of {peer.name} does not run")
    yield from _onward(world, peer, packet)


def _receive_tunnel(peer: NodeFacts, mac: str, vni: int, port: int, outer: str) -> Iterator[Hop]:
    kernel = peer.kernel
    if kernel is None:
        yield from _lost(peer.name, "its network namespace is gone", "the node is down")
        return
    yield from _underlay(peer, kernel, outer)
    ends = [li for li in kernel.links if li.vxlan is not None and (li.vxlan.vni, li.vxlan.port) == (vni, port)]
    if not ends:
        yield from _lost(peer.name, f"no VXLAN device for VNI {vni} at UDP {port}", "its flannel has another backend")
    elif not ends[0].up:
        yield from _lost(peer.name, f"{ends[0].name} is down", "somebody set it down; the node agent sets it up")
    elif ends[0].mac != mac:
        yield from _lost(
            peer.name, f"{ends[0].name} has the MAC {ends[0].mac}", f"the frame is for {mac}: its lease is out of date"
        )
    else:
        yield Hop(peer.name, f"{ends[0].name} unwraps it", f"VNI {vni}, MAC {mac} is its own")


def _direct(world: World, node: NodeFacts, link: Link, route: Route, packet: Packet) -> Iterator[Hop]:
    kernel = node.kernel
    assert kernel is not None
    outer = route.gateway or packet.target
    if not link.running:
        yield from _lost(node.name, f"{link.name} is down", "the network under the nodes is broken here")
        return
    known = next((n for n in kernel.neighbours if n.index == link.index and n.ip == outer), None)
    if known is not None and known.state & 0x20:
        yield from _lost(node.name, f"{outer} does not answer on {link.name}", "it is down, or on another segment")
        return
    near = fib.neighbour(kernel, link.index, outer)
    mac = f"lladdr {near.mac}" if near else "is asked for by ARP"
    yield Hop(node.name, f"neighbour {outer} {mac} dev {link.name}", world.name_of(outer))
    peer = _arrival(world, outer)
    if peer is None:
        beyond = lease_of(world, packet.target)[0]
        if beyond is not None:
            yield from _lost(outer, "is no node", f"the route differs from the lease of {beyond.node}")
        yield Hop(outer, f"leaves the cluster towards {packet.target}", "a router outside takes it from here")
        return
    if peer.kernel is None:
        yield from _lost(peer.name, "its network namespace is gone", "the node is down")
        return
    yield from _underlay(peer, peer.kernel, outer)
    yield from _onward(world, peer, packet)


def _underlay(peer: NodeFacts, kernel: KernelFacts, outer: str) -> Iterator[Hop]:
    link = kernel.owner(outer)
    if link is None or not link.running:
        yield from _lost(peer.name, f"{link.name if link else outer} is down", "the node is cut off")
        return
    doubt = State.OK if peer.ready else State.DOUBT
    why = f"public address of {peer.name}"
    yield Hop(peer.name, f"arrives at {link.name}", why if peer.ready else f"{why}; NotReady: {peer.ready_text}", doubt)


def _onward(world: World, peer: NodeFacts, packet: Packet) -> Iterator[Hop]:
    """On the node where the target should live: it must not leave again."""
    assert peer.kernel is not None
    route = fib.lookup(peer.kernel, packet.target)
    link = peer.kernel.link(route.device) if route else None
    if route is not None and route.kind == "local":
        yield Hop(peer.name, f"{packet.target} is its own", world.name_of(packet.target))
    elif route is None or link is None or link.kind != "bridge":
        how = route_text(route, peer.kernel) if route else "no route"
        yield from _lost(peer.name, f"{how} for {packet.target}", "its bridge, or the bridge's address, is gone")
    else:
        yield Hop(peer.name, f"route {route_text(route, peer.kernel)}", "the node's own subnet, made by CNI")
        yield from deliver(world, peer, link, packet)


def deliver(world: World, node: NodeFacts, bridge: Link, packet: Packet) -> Iterator[Hop]:
    """From a node's bridge into the pod. Raises Lost."""
    kernel = node.kernel
    assert kernel is not None
    pod = world.pods.get(packet.target)
    if not bridge.up:
        yield from _lost(node.name, f"{bridge.name} is down", "somebody set it down; the node agent sets it up")
    if pod is None or pod.kernel is None:
        known = f"pod {pod.name} is {pod.phase}" if pod else "no pod has this address"
        yield from _lost(node.name, f"nobody on {bridge.name} answers for {packet.target}", known)
        return
    inner = next((li for li in pod.kernel.links if pod.kernel.owner(packet.target) == li), None)
    port = next((li for li in kernel.links if inner is not None and li.index == inner.peer), None)
    if inner is None or port is None or port.master != bridge.index:
        what = f"{port.name} is not on {bridge.name}" if port else f"pod {pod.name} has no end here"
        yield from _lost(node.name, what, f"the veth pair of {pod.name} was changed: the node agent mends the bridge")
        return
    if not (inner.up and port.up):
        yield from _lost(node.name, f"{port.name} is down", f"the veth pair of {pod.name} was set down")
    near = fib.neighbour(kernel, bridge.index, packet.target)
    if near is not None and near.mac != inner.mac and near.permanent:
        yield from _lost(node.name, f"neighbour {packet.target} is {near.mac}", f"the pod's MAC is {inner.mac}")
    learned = fib.bridge_port(kernel, bridge, inner.mac)
    how = f"neighbour {packet.target} lladdr {inner.mac}, " + (
        f"fdb -> {port.name}" if learned else f"bridge asks all ports, {port.name} answers"
    )
    yield Hop(node.name, how, f"port of {pod.name}")
    yield Hop(f"pod {pod.name}", f"arrives at {inner.name} {packet.target}", f"pod {pod.name} on {node.name}")


def lease_of(world: World, ip: str) -> tuple[Lease | None, FamilyLease | None]:
    """The lease whose subnet an address is in."""
    address = ip_address(ip)
    for lease in world.cluster.leases:
        for part in lease.families:
            if address.version == part.subnet.version and address in part.subnet:
                return lease, part
    return None, None


def _arrival(world: World, ip: str) -> NodeFacts | None:
    """The node that has an address, by its kernel, else by its lease."""
    for node in world.cluster.nodes:
        if node.kernel is not None and node.kernel.owner(ip) is not None:
            return node
    named = (n for n in world.cluster.nodes if n.lease and any(str(p.public_ip) == ip for p in n.lease.families))
    return next(named, None)


def _reason(route: Route, lease: Lease | None, world: World) -> str:
    if route.protocol == ROUTE_PROTOCOL and lease is not None:
        return f"lease of {lease.node}"
    if lease is not None and route.protocol == 2:
        return f"subnet of {lease.node} itself, made by CNI"
    if route.dst in _DEFAULTS:
        return "default route: the way out of the cluster"
    return "made by the kernel for the link's address" if route.protocol == 2 else f"protocol {route.protocol}"


def route_text(route: Route, kernel: KernelFacts) -> str:
    """As `ip route` shows it."""
    dst = "default" if route.dst in _DEFAULTS else route.dst
    via = f" via {route.gateway}" if route.gateway else ""
    return f"{dst}{via} dev {kernel.name(route.device)}{' onlink' if route.onlink else ''}"


def _lost(where: str, what: str, why: str) -> Iterator[Hop]:
    yield Hop(where, what, why, State.LOST)
    raise Lost
