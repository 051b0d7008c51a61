"""Follow a packet through each kind of tunnel, from node to node. Pure: facts in, hops out."""

from collections.abc import Generator, Iterator
from ipaddress import ip_address, ip_network

from pybernetes.flannel.backends import make
from pybernetes.insight import fib
from pybernetes.insight.facts import ClusterFacts, KernelFacts, NodeFacts, TraceFacts
from pybernetes.insight.hop import Hop
from pybernetes.insight.path_parts import Lost, lease_of, lost, node_at, route_text, underlay
from pybernetes.insight.snat import Packet
from pybernetes.linux.link import Link
from pybernetes.linux.route import Route

Crossing = Generator[Hop, None, NodeFacts]
"""Yields hops and returns the node at the other end. Raises Lost."""


def cross_tunnel(facts: TraceFacts, node: NodeFacts, link: Link, route: Route, packet: Packet) -> Crossing | None:
    """Follow the packet into the tunnel device; None if the link is not a tunnel."""
    if link.vxlan is not None:
        return _vxlan(facts, node, link, route, packet)
    if link.kind == "tun":
        return _proxy(facts, node, link, packet)
    if link.kind == "ipip":
        return _ipip(facts, node, link, route)
    if link.kind == "wireguard":
        return _wireguard(facts, node, link, packet)
    if link.kind == "xfrm":
        return _ipsec(facts, node, link, packet)
    return None


def _vxlan(facts: TraceFacts, node: NodeFacts, link: Link, route: Route, packet: Packet) -> Crossing:
    kernel = node.kernel
    assert kernel is not None and link.vxlan is not None
    lease, _ = lease_of(facts, packet.target)
    owner = f"lease of {lease.node}" if lease else "no lease"
    near = fib.neighbour(kernel, link.index, route.gateway or packet.target)
    if near is None:
        yield from lost(
            node.name, f"{link.name} has no MAC for {route.gateway}", f"the neighbour entry of the {owner} is missing"
        )
        raise Lost
    yield Hop(node.name, f"neighbour {near.ip} lladdr {near.mac} dev {link.name}", owner)
    ends = fib.tunnel_ends(kernel, link.index, near.mac)
    if not ends:
        yield from lost(
            node.name, f"no FDB entry for {near.mac} on {link.name}", f"the FDB entry of the {owner} is missing"
        )
        raise Lost
    outer, info = ends[0], link.vxlan
    yield Hop(node.name, f"fdb {near.mac} dst {outer} dev {link.name}", owner)
    how = f"UDP {info.port} VNI {info.vni}"
    yield from _below(facts, node, kernel, info.local, outer, how)
    peer = yield from _arrive(facts, outer, f"the FDB entry differs from the {owner}")
    yield from _unwrap_vxlan(peer, near.mac, info.vni, info.port)
    return peer


def _unwrap_vxlan(peer: NodeFacts, mac: str, vni: int, port: int) -> Iterator[Hop]:
    assert peer.kernel is not None
    ends = [li for li in peer.kernel.links if li.vxlan is not None and (li.vxlan.vni, li.vxlan.port) == (vni, port)]
    if not ends:
        yield from lost(peer.name, f"no VXLAN device for VNI {vni} at UDP {port}", "its flannel uses another backend")
    elif not ends[0].up:
        yield from lost(peer.name, f"{ends[0].name} is down", "it was set down; the node agent sets it up")
    elif ends[0].mac != mac:
        yield from lost(
            peer.name, f"{ends[0].name} has the MAC {ends[0].mac}", f"the frame is for {mac}: its lease is out of date"
        )
    else:
        yield Hop(peer.name, f"{ends[0].name} decapsulates it", f"VNI {vni}, MAC {mac} is its own")


def _proxy(facts: TraceFacts, node: NodeFacts, link: Link, packet: Packet) -> Crossing:
    """The udp backend: the node agent carries the packet to the node that the lease names."""
    lease, part = lease_of(facts, packet.target)
    peer = facts.cluster.node(lease.node) if lease else None
    if lease is None or part is None or peer is None or peer.kernel is None:
        yield from lost(
            node.name, f"{link.name}: no peer to send to", "no lease has this address, or its node is missing"
        )
        raise Lost
    if not node.agent:
        yield from lost(node.name, f"no program reads {link.name}", f"the agent of {node.name} is not running")
    where = f"{part.public_ip} port {_port(facts.cluster)}"
    yield Hop(node.name, f"{link.name}: the agent sends it over UDP to {where}", f"lease of {lease.node}")
    yield from underlay(peer, peer.kernel, str(part.public_ip))
    if not peer.agent:
        yield from lost(peer.name, "no program receives it over UDP", f"the agent of {peer.name} is not running")
    return peer


def _port(cluster: ClusterFacts) -> int:
    options = cluster.config.options if cluster.config.backend == "udp" else cluster.config.former.get("udp", {})
    return make("udp", options).port


def _ipip(facts: TraceFacts, node: NodeFacts, link: Link, route: Route) -> Crossing:
    assert node.kernel is not None
    local = link.ipip.local if link.ipip else ""
    yield from _below(facts, node, node.kernel, local, route.gateway, "IP in IP")
    peer = yield from _arrive(facts, route.gateway, "the route differs from the lease")
    yield from _unwrap(peer, "ipip", f"IP in IP from {local}")
    return peer


def _wireguard(facts: TraceFacts, node: NodeFacts, link: Link, packet: Packet) -> Crossing:
    """The route only leads to the device; the device chooses the peer by its allowed IPs."""
    assert node.kernel is not None
    device = next((d for d in node.kernel.wireguards if d.name == link.name), None)
    target = ip_address(packet.target)
    peers = device.peers if device else ()
    chosen = next((p for p in peers if any(target in ip_network(net) for net in p.allowed)), None)
    lease, _ = lease_of(facts, packet.target)
    if chosen is None or chosen.endpoint is None:
        why = f"the peer of the lease of {lease.node} is missing" if lease else "no lease has this address"
        yield from lost(node.name, f"{link.name} has no peer with {packet.target} among its allowed IPs", why)
        raise Lost
    outer = chosen.endpoint.address
    owner = f"lease of {lease.node}" if lease else "no lease"
    yield Hop(node.name, f"{link.name} encrypts it for the peer {chosen.public_key[:8]}... at {chosen.endpoint}", owner)
    local = next((str(p.public_ip) for p in node.lease.families), "") if node.lease else ""
    yield from _below(facts, node, node.kernel, local, outer, f"UDP {chosen.endpoint.port}")
    peer = yield from _arrive(facts, outer, f"the peer's endpoint differs from the {owner}")
    theirs = peer.kernel.wireguards if peer.kernel else ()
    if not any(d.public_key == chosen.public_key for d in theirs):
        yield from lost(peer.name, "no device has that key", f"the {owner} is out of date, or its key file was changed")
    yield from _unwrap(peer, "wireguard", "decrypted with its private key")
    return peer


def _ipsec(facts: TraceFacts, node: NodeFacts, link: Link, packet: Packet) -> Crossing:
    """The IPsec policies, which follow the lease, name the peer."""
    assert node.kernel is not None
    lease, part = lease_of(facts, packet.target)
    if lease is None or part is None:
        yield from lost(node.name, f"{link.name} has no policy for {packet.target}", "no lease has this address")
        raise Lost
    mine = node.lease.family(part.subnet.version) if node.lease else None
    outer = str(part.public_ip)
    yield Hop(node.name, f"{link.name} encrypts it for {outer}", f"lease of {lease.node}")
    yield from _below(facts, node, node.kernel, str(mine.public_ip) if mine else "?", outer, "ESP")
    peer = yield from _arrive(facts, outer, f"the lease of {lease.node} is out of date")
    yield from _unwrap(peer, "xfrm", "decrypted with the keys that charon agreed on")
    return peer


def _unwrap(peer: NodeFacts, kind: str, why: str) -> Iterator[Hop]:
    assert peer.kernel is not None
    ends = [li for li in peer.kernel.links if li.kind == kind and li.name.startswith("flannel")]
    if not ends:
        yield from lost(peer.name, f"no {kind} device", "its flannel uses another backend")
    elif not ends[0].up:
        yield from lost(peer.name, f"{ends[0].name} is down", "it was set down; the node agent sets it up")
    else:
        yield Hop(peer.name, f"{ends[0].name} decapsulates it", why)


def _below(facts: TraceFacts, node: NodeFacts, kernel: KernelFacts, local: str, outer: str, how: str) -> Iterator[Hop]:
    """The outer packet and its route out of the node."""
    below = fib.lookup(kernel, outer)
    via = kernel.link(below.device) if below else None
    if below is None or via is None or not via.running:
        what = f"{via.name} is down" if via else f"no route to {outer}"
        yield from lost(node.name, what, "the underlay network is down here")
        return
    text = f"outer {local} -> {outer} {how}, {route_text(below, kernel)}"
    yield Hop(node.name, text, f"public addresses of {facts.name_of(local)} and {facts.name_of(outer)}")


def _arrive(facts: TraceFacts, outer: str, why: str) -> Crossing:
    """Arrive at the node with the outer address."""
    peer = node_at(facts, outer)
    if peer is None:
        yield from lost(outer, "no node has this address", why)
        raise Lost
    if peer.kernel is None:
        yield from lost(peer.name, "its network namespace is missing", "the node is down")
        raise Lost
    yield from underlay(peer, peer.kernel, outer)
    return peer
