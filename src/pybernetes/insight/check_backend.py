"""Faults of what a backend needs besides links and routes: BIRD, the udp proxy, WireGuard's peers. Pure."""

from collections.abc import Collection, Iterator

from pybernetes.flannel.backends.bgp.bird import protocol_name
from pybernetes.flannel.backends.bgp.learned import is_learned
from pybernetes.flannel.backends.bgp.speaker import BgpSession, BgpSpeaker
from pybernetes.flannel.backends.udp.ends import UdpEnd
from pybernetes.flannel.backends.wireguard.device import WireguardLink
from pybernetes.flannel.backends.wireguard.names import PUBLIC_KEY
from pybernetes.flannel.backends.wireguard.peers import WireguardPeer
from pybernetes.flannel.kernel.desired import Desired, LearnedRoute
from pybernetes.insight.check_texts import peer_of, repair_hint
from pybernetes.insight.facts import BirdFacts, ClusterFacts, KernelFacts, NodeFacts
from pybernetes.insight.findings import Finding, Severity

_BGP_PORT = 179
#: By the text that BIRD reports as a session's last error: (part of the text, code, cause, fix).
_SESSION_FAULTS = (
    (
        "bad peer as",
        "as-wrong",
        "the two ends are configured with different AS numbers",
        "give both the same ASNumber: 'pybernetes network set-backend bgp --option ASNumber=N'; for an external peer, "
        "check its configuration",
    ),
    (
        "connection refused",
        "session-down",
        f"its TCP port {_BGP_PORT} refuses the connection: BIRD is not running, or a packet filter rejects it",
        f"on the peer: ss -ltnp 'sport = :{_BGP_PORT}'",
    ),
    (
        "route to host",
        "session-down",
        "there is no route to the peer's address",
        "check the underlay network: ip route get PEER",
    ),
)


def check_backend(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """One node."""
    yield from _proxy(cluster, node, kernel, want)
    yield from _wireguard(cluster, node, kernel, want)
    if want.of(BgpSpeaker) and node.bird is not None:
        yield from _bird(cluster, node, kernel, want, node.bird)


def _proxy(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for end in want.of(UdpEnd):
        if node.agent and end.port not in kernel.udp_ports:
            cause = f"no program listens on UDP port {end.port}: the proxy for {end.tun} is not running"
            yield Finding("proxy-missing", node.name, cause, repair_hint(cluster, node))


def _bird(
    cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired, bird: BirdFacts
) -> Iterator[Finding]:
    learned = {r.dst for r in kernel.routes if is_learned(r)}
    if not bird.answers:
        lost = [r for r in want.of(LearnedRoute) if r.dst not in learned]
        stay = "its routes are gone" if lost else f"peers keep its routes for {want.of(BgpSpeaker)[0].restart} s"
        cause = f"BIRD is not running on {node.name}, or does not answer: no session is up, and {stay}"
        yield Finding("bird-stopped", node.name, cause, repair_hint(cluster, node))
        return
    silent = set()
    for session in want.of(BgpSession):
        if (found := _session(cluster, node, want, bird, learned, session)) is not None:
            silent.add(session.node)
            if _reports(cluster, node, session):
                yield found
    for r in want.of(LearnedRoute):
        peer = peer_of(r.reason)
        if r.dst not in learned and peer not in silent and not _stopped(cluster, peer):
            cause = f"BIRD has installed no route to {r.dst} of {peer}, although the sessions are up"
            fix = f"show what is announced: birdc -s {bird.socket} show route all"
            yield Finding("route-not-learned", node.name, cause, fix, peer)


def _session(
    cluster: ClusterFacts, node: NodeFacts, want: Desired, bird: BirdFacts, learned: set[str], session: BgpSession
) -> Finding | None:
    state = bird.session(protocol_name(session.address))
    if (state is not None and state.up) or _stopped(cluster, session.node):
        return None
    words = state.info if state is not None else "it is not in BIRD's config"
    code, cause, fix = _why(session, words)
    lost = [r.dst for r in want.of(LearnedRoute) if peer_of(r.reason) == session.node and r.dst not in learned]
    after = f"; there is no route to {', '.join(lost)}" if lost else "; the routes it installed before still work"
    return Finding(
        code,
        node.name,
        f"the BGP session with {session.node} ({session.address}) is down: {cause} (BIRD: {words or 'no message'})"
        f"{after}",
        fix,
        "" if session.outside else session.node,
        Severity.FAULT if lost or session.outside else Severity.WARNING,
    )


def _why(session: BgpSession, words: str) -> tuple[str, str, str]:
    for part, code, cause, fix in _SESSION_FAULTS:
        if part in words.lower():
            return code, cause, fix.replace("PEER", session.address)
    cause = f"the peer does not answer; TCP port {_BGP_PORT} may be blocked between them"
    return "session-down", cause, f"allow TCP port {_BGP_PORT} between all nodes, in every packet filter between them"


def _reports(cluster: ClusterFacts, node: NodeFacts, session: BgpSession) -> bool:
    """If both nodes lack the session, only the first by name reports it."""
    peer = cluster.node(session.node)
    return peer is None or peer.bird is None or not peer.bird.answers or node.name < peer.name or _is_up(peer, node)


def _is_up(peer: NodeFacts, node: NodeFacts) -> bool:
    assert peer.bird is not None
    ips = [str(part.public_ip) for part in node.lease.families] if node.lease else []
    return any(s.up for ip in ips if (s := peer.bird.session(protocol_name(ip))))


def _stopped(cluster: ClusterFacts, name: str) -> bool:
    """Whether a peer's BIRD is known to be down. That is reported as the fault; the rest follows from it."""
    peer = cluster.node(name)
    return peer is not None and (peer.kernel is None or (peer.bird is not None and not peer.bird.answers))


def _wireguard(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    devices = {device.name: device for device in kernel.wireguards}
    mine = {part.data.get(PUBLIC_KEY) for part in node.lease.families} if node.lease else set()
    for name in {link.name for link in want.of(WireguardLink)} & devices.keys():
        if devices[name].public_key not in mine:
            cause = f"{name} has a different key from the one {node.name} announces: peers cannot decrypt its packets"
            yield Finding("key-wrong", node.name, cause, repair_hint(cluster, node))
    for peer in want.of(WireguardPeer):
        device = devices.get(peer.link)
        if device is None:
            continue  # reported as the link's fault
        have = device.peer(peer.public_key)
        who = peer_of(peer.reason)
        if have is None:
            cause = f"{peer.link} does not have {who} as a peer: packets for its pods are dropped"
            yield Finding("wireguard-peer-missing", node.name, cause, repair_hint(cluster, node), who)
            continue
        differs = _differs(peer, have.allowed, str(have.endpoint or "nowhere"))
        if differs:
            cause = f"{peer.link} has {who} as a peer with {differs}"
            yield Finding("wireguard-peer-wrong", node.name, cause, repair_hint(cluster, node), who)


def _differs(want: WireguardPeer, allowed: Collection[str], endpoint: str) -> str:
    if set(allowed) != set(want.allowed):
        return f"the networks {', '.join(sorted(allowed)) or 'none'} instead of {', '.join(want.allowed)}"
    # For a peer behind NAT, the kernel updates the endpoint from the packets it receives.
    known = endpoint.rpartition(":")[0]
    return (
        f"the endpoint {endpoint} instead of {want.endpoint}" if known != str(want.endpoint).rpartition(":")[0] else ""
    )
