"""`trace`: all paths of a packet from a pod to a pod, a Service or an address, and of the reply. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pybernetes.insight import dnat, fib
from pybernetes.insight.facts import NodeFacts, PodFacts, ServiceFacts, TraceFacts
from pybernetes.insight.hop import Hop, PacketPath, State, Trace
from pybernetes.insight.path import cross, deliver, leave_pod
from pybernetes.insight.path_parts import Lost
from pybernetes.insight.snat import Packet

_MARK = 0x4000
_MAX_PATHS = 8


@dataclass(frozen=True, slots=True)
class Target:
    """The destination of the packet."""

    ip: str
    text: str
    """The name that the user gave, for the output."""
    protocol: str = "tcp"
    port: int = 0


def trace(facts: TraceFacts, pod: PodFacts, target: Target) -> Trace:
    """Trace one path per endpoint of a Service, or a single path."""
    node = facts.cluster.node(pod.node)
    port = f":{target.port}/{target.protocol}" if target.port else ""
    source = f"pod {pod.name} ({pod.ip} on {pod.node or 'no node'})"
    name = f"{target.text} ({target.ip}{port})"
    if node is None or not pod.ip:
        hop = Hop(
            f"pod {pod.name}", "has no address", f"it is {pod.phase}; 'pybernetes why' may show the reason", State.LOST
        )
        return Trace(source, name, (PacketPath(f"to {name}", (hop,)),))
    start = _collect([] if pod.host_network else leave_pod(pod, node, target.ip))
    if start and start[-1].state is State.LOST:
        return Trace(source, name, (PacketPath(f"to {name}", tuple(start)),))
    service = next((s for s in facts.services if (s.ip, s.protocol, s.port) == _key(target)), None)
    if service is None and not any(s.ip == target.ip for s in facts.services):
        return Trace(source, name, (_path(facts, pod, node, target.ip, f"to {name}", start),))
    hop, endpoints = _resolve_service(node, service, target)
    if not endpoints:
        return Trace(source, name, (PacketPath(f"to {name}", (*start, hop)),))
    paths = [
        _path(
            facts, pod, node, ip, f"to {name}, endpoint {ip}:{port}", [*start, hop, _dnat_hop(facts, service, ip, port)]
        )
        for ip, port in endpoints[:_MAX_PATHS]
    ]
    return Trace(source, name, tuple(paths))


def _key(target: Target) -> tuple[str, str, int]:
    return target.ip, target.protocol, target.port


def _resolve_service(
    node: NodeFacts, service: ServiceFacts | None, target: Target
) -> tuple[Hop, tuple[dnat.Address, ...]]:
    """What the node's kernel does with a Service's address."""
    assert node.kernel is not None
    verdict = dnat.service(node.kernel, target.ip, target.protocol, target.port)
    named = f"Service {service.name}" if service else target.text
    if verdict.kind == "endpoints":
        chosen = (
            f"one of {len(verdict.endpoints)} endpoints at random" if len(verdict.endpoints) > 1 else "one endpoint"
        )
        return Hop(node.name, verdict.rule, f"{named}: {chosen}"), verdict.endpoints
    if verdict.kind == "nothing":
        what = f"no rule for {target.ip}: the packet keeps the virtual address"
        return Hop(node.name, what, f"the Service proxy of {node.name} has no rule for {named}", State.LOST), ()
    if verdict.kind == "unknown-port":
        return Hop(
            node.name, verdict.rule, f"{target.text} has no port {target.port}/{target.protocol}", State.LOST
        ), ()
    why = f"{named} has no ready endpoints"
    if service is not None and service.endpoints:
        why = f"{named} has {len(service.endpoints)} endpoints, none of which this node may use (traffic policy Local)"
    elif service is not None and service.unready:
        why += f"; {service.unready} are not ready"
    return Hop(node.name, f"{verdict.rule}: {verdict.kind}", why, State.LOST), ()


def _dnat_hop(facts: TraceFacts, service: ServiceFacts | None, ip: str, port: int) -> Hop:
    known = next((e[2] for e in service.endpoints if e[:2] == (ip, port)), "") if service else ""
    what = f"destination becomes {ip}:{port}"
    if known:
        return Hop("", what, f"{known}: {facts.name_of(ip)}")
    return Hop("", what, "no EndpointSlice has this endpoint: the rule is out of date", State.DOUBT)


def _path(facts: TraceFacts, pod: PodFacts, node: NodeFacts, ip: str, title: str, start: list[Hop]) -> PacketPath:
    """The path there, and the reply's path if the packet arrives."""
    hops = [Hop(node.name, h.what, h.why, h.state) if not h.where else h for h in start]
    mark = (
        _MARK if pod.host_network and any("nft map" in hop.what or "iptables KUBE-" in hop.what for hop in start) else 0
    )
    hops += _collect(_request(facts, pod, node, Packet(pod.ip, ip, mark)))
    if hops and hops[-1].state is State.LOST:
        return PacketPath(title, tuple(hops))
    return PacketPath(
        title, (*hops, *_reply(facts, pod, ip, changed=any(" becomes " in h.what and "source" in h.what for h in hops)))
    )


def _request(facts: TraceFacts, pod: PodFacts, node: NodeFacts, packet: Packet) -> Iterator[Hop]:
    """From the sending node on. Packets to a pod on the same bridge are not routed."""
    assert node.kernel is not None
    near = fib.lookup(pod.kernel, packet.target) if pod.kernel is not None and not pod.host_network else None
    route = fib.lookup(node.kernel, packet.target)
    bridge = node.kernel.link(route.device) if route else None
    if near is not None and not near.gateway and bridge is not None and bridge.kind == "bridge":
        yield from deliver(facts, node, bridge, packet)
    else:
        yield from cross(facts, node, packet)


def _reply(facts: TraceFacts, pod: PodFacts, ip: str, *, changed: bool) -> list[Hop]:
    """The reply's path, in full only if the reply is lost."""
    other = facts.pods.get(ip)
    node = facts.cluster.node(other.node) if other is not None else None
    home = facts.cluster.node(pod.node)
    if other is None or node is None or changed or pod.host_network or node is home:
        return []
    hops = _collect(_reply_path(facts, other, node, Packet(ip, pod.ip)))
    if hops and hops[-1].state is State.LOST:
        return [Hop(h.where, f"reply: {h.what}", h.why, h.state) for h in hops]
    return [Hop(node.name, f"the reply returns to {pod.ip} by the same path", f"lease of {pod.node}")]


def _reply_path(facts: TraceFacts, pod: PodFacts, node: NodeFacts, packet: Packet) -> Iterator[Hop]:
    yield from leave_pod(pod, node, packet.target)
    yield from cross(facts, node, packet)


def _collect(hops: Iterable[Hop]) -> list[Hop]:
    """The hops until the packet arrives or is lost."""
    found: list[Hop] = []
    try:
        for hop in hops:
            found.append(hop)
    except Lost:
        pass
    return found
