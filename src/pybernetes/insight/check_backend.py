"""Faults of what a backend runs beside the kernel's routes: BIRD, the udp proxy, WireGuard's peers. Pure."""

from collections.abc import Collection, Iterator

from pybernetes.flannel.backends.bgp.bird import protocol_name
from pybernetes.flannel.backends.bgp.learned import is_learned
from pybernetes.flannel.backends.wireguard.backend import PUBLIC_KEY
from pybernetes.flannel.kernel.desired import BgpSession, Desired, WireguardPeer
from pybernetes.insight.check_texts import mender, peer_of
from pybernetes.insight.facts import BirdFacts, ClusterFacts, KernelFacts, NodeFacts
from pybernetes.insight.findings import Finding, Severity

_BGP_PORT = 179
#: What BIRD's own words for the last error of a session come to: (part of the words, code, cause, fix).
_SESSION_FAULTS = (
    (
        "bad peer as",
        "as-wrong",
        "they do not agree on the autonomous systems they are in",
        "give both the same ASNumber: 'pybernetes network set-backend bgp --option ASNumber=N'; of a peer outside, "
        "look at its own config",
    ),
    (
        "connection refused",
        "session-down",
        f"nobody listens on its TCP port {_BGP_PORT}: no BIRD, or another program's rules refuse the connection",
        f"on the peer: ss -ltnp 'sport = :{_BGP_PORT}'",
    ),
    (
        "route to host",
        "session-down",
        "it has no way to the peer's address",
        "look at the network under the nodes: ip route get PEER",
    ),
)


def check_backend(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """One node."""
    yield from _proxy(cluster, node, kernel, want)
    yield from _wireguard(cluster, node, kernel, want)
    if want.speakers and node.bird is not None:
        yield from _bird(cluster, node, kernel, want, node.bird)


def _proxy(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for end in want.udp_ends:
        if node.agent and end.port not in kernel.udp_ports:
            cause = (
                f"nobody listens on UDP port {end.port}: the proxy that carries the packets of {end.tun} does not run"
            )
            yield Finding("proxy-missing", node.name, cause, mender(cluster, node))


def _bird(
    cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired, bird: BirdFacts
) -> Iterator[Finding]:
    learned = {r.dst for r in kernel.routes if is_learned(r)}
    if not bird.answers:
        lost = [r for r in want.learned if r.dst not in learned]
        stay = "its routes are gone" if lost else f"peers keep its routes for {want.speakers[0].restart} s"
        cause = f"BIRD does not run on {node.name}, or does not answer: no session stands, and {stay}"
        yield Finding("bird-stopped", node.name, cause, mender(cluster, node))
        return
    silent = set()
    for session in want.sessions:
        if (found := _session(cluster, node, want, bird, learned, session)) is not None:
            silent.add(session.node)
            if _tells(cluster, node, session):
                yield found
    for r in want.learned:
        peer = peer_of(r.reason)
        if r.dst not in learned and peer not in silent and not _stopped(cluster, peer):
            cause = f"BIRD has brought no route to {r.dst} of {peer}, although the sessions stand"
            fix = f"see what is announced: birdc -s {bird.socket} show route all"
            yield Finding("route-not-learned", node.name, cause, fix, peer)


def _session(
    cluster: ClusterFacts, node: NodeFacts, want: Desired, bird: BirdFacts, learned: set[str], session: BgpSession
) -> Finding | None:
    state = bird.session(protocol_name(session.address))
    if (state is not None and state.up) or _stopped(cluster, session.node):
        return None
    words = state.info if state is not None else "it is not in BIRD's config"
    code, cause, fix = _why(session, words)
    lost = [r.dst for r in want.learned if peer_of(r.reason) == session.node and r.dst not in learned]
    after = f"; there is no route to {', '.join(lost)}" if lost else "; packets still pass by the routes that it left"
    return Finding(
        code,
        node.name,
        f"the BGP session with {session.node} ({session.address}) does not stand, {cause} (BIRD: {words or 'no word'})"
        f"{after}",
        fix,
        "" if session.outside else session.node,
        Severity.FAULT if lost or session.outside else Severity.WARNING,
    )


def _why(session: BgpSession, words: str) -> tuple[str, str, str]:
    for part, code, cause, fix in _SESSION_FAULTS:
        if part in words.lower():
            return code, cause, fix.replace("PEER", session.address)
    cause = f"and nothing answers: TCP port {_BGP_PORT} may be blocked between them"
    return "session-down", cause, f"allow TCP port {_BGP_PORT} between all nodes, in every packet filter on the way"


def _tells(cluster: ClusterFacts, node: NodeFacts, session: BgpSession) -> bool:
    """Of two nodes that both miss the session, the first by name speaks of it."""
    peer = cluster.node(session.node)
    return peer is None or peer.bird is None or not peer.bird.answers or node.name < peer.name or _stands(peer, node)


def _stands(peer: NodeFacts, node: NodeFacts) -> bool:
    assert peer.bird is not None
    ips = [str(part.public_ip) for part in node.lease.families] if node.lease else []
    return any(s.up for ip in ips if (s := peer.bird.session(protocol_name(ip))))


def _stopped(cluster: ClusterFacts, name: str) -> bool:
    """Whether a peer's BIRD is known not to run: that is the fault, and all else follows from it."""
    peer = cluster.node(name)
    return peer is not None and (peer.kernel is None or (peer.bird is not None and not peer.bird.answers))


def _wireguard(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    devices = {device.name: device for device in kernel.wireguards}
    mine = {part.data.get(PUBLIC_KEY) for part in node.lease.families} if node.lease else set()
    for name in {link.name for link in want.wireguards} & devices.keys():
        if devices[name].public_key not in mine:
            cause = f"{name} has another key than {node.name} announces: peers can't decrypt what it sends"
            yield Finding("key-wrong", node.name, cause, mender(cluster, node))
    for peer in want.wireguard_peers:
        device = devices.get(peer.link)
        if device is None:
            continue  # reported as the link's fault
        have = device.peer(peer.public_key)
        who = peer_of(peer.reason)
        if have is None:
            cause = f"{peer.link} does not know {who} as a peer: packets for its pods are refused"
            yield Finding("wireguard-peer-missing", node.name, cause, mender(cluster, node), who)
            continue
        differs = _differs(peer, have.allowed, str(have.endpoint or "nowhere"))
        if differs:
            cause = f"{peer.link} has {who} as a peer with {differs}"
            yield Finding("wireguard-peer-wrong", node.name, cause, mender(cluster, node), who)


def _differs(want: WireguardPeer, allowed: Collection[str], endpoint: str) -> str:
    if set(allowed) != set(want.allowed):
        return f"the networks {', '.join(sorted(allowed)) or 'none'} instead of {', '.join(want.allowed)}"
    # Behind NAT the kernel follows the peer to where its packets come from.
    known = endpoint.rpartition(":")[0]
    return (
        f"the endpoint {endpoint} instead of {want.endpoint}" if known != str(want.endpoint).rpartition(":")[0] else ""
    )
