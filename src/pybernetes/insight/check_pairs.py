"""Faults that only probes show, unless a fault of one of the nodes already explains them. Pure."""

from collections.abc import Iterable, Iterator

from pybernetes.flannel.backends import make
from pybernetes.insight import expected
from pybernetes.insight.facts import ClusterFacts
from pybernetes.insight.findings import SEVERING, SEVERING_PAIR, Finding, faults
from pybernetes.insight.probe_result import PairProbe, Stage

_UNDER = "the underlay network"
#: Consequences of an MTU that is known to be wrong.
_OF_SIZE = ("mtu-too-big", "checksum")


def check_pairs(cluster: ClusterFacts, known: list[Finding], probes: Iterable[PairProbe]) -> list[Finding]:
    """Findings beyond those `known`."""
    # A route for all peers, such as that of the udp backend, names no peer.
    severed = {f.node for f in faults(known) if f.code in SEVERING or (f.code in SEVERING_PAIR and not f.peer)}
    severed_pairs = {(finding.node, finding.peer) for finding in known if finding.code in SEVERING_PAIR}
    twins = {frozenset((finding.node, finding.peer)) for finding in known if finding.code == "mac-duplicate"}
    large = {finding.node for finding in known if finding.code == "mtu-too-big"}
    found: list[Finding] = []
    for probe in probes:
        ends = {probe.src, probe.dst}
        if ends & severed or "" in severed or frozenset(ends) in twins:
            continue
        if {(probe.src, probe.dst), (probe.dst, probe.src)} & severed_pairs and probe.underlay is not None:
            continue
        found += [f for f in _pair(cluster, probe) if not (f.code in _OF_SIZE and ends & large)]
    return _merged(found)


def _pair(cluster: ClusterFacts, probe: PairProbe) -> Iterator[Finding]:
    if probe.underlay is None:
        # Only echo requests may be blocked.
        if probe.pods is None:
            cause = f"{probe.src} does not reach {probe.dst} at all, not even at its public address"
            fix = f"check whether {probe.dst} is up, and what is between the two: cable, switch, router, firewall"
            yield Finding("underlay-unreachable", probe.src, cause, fix, probe.dst)
        return
    if not probe.tried or cluster.config.backend == "alloc":
        return  # with alloc, another program carries the packets and limits their size
    if probe.pods is None:
        yield _lost(cluster, probe)
    elif not probe.full:
        yield _too_large(cluster, probe)
    elif probe.payload:
        yield _damaged(probe)


def _lost(cluster: ClusterFacts, probe: PairProbe) -> Finding:
    last = probe.trail.last if probe.trail else None
    missing = probe.trail.missing if probe.trail else None
    if cluster.config.backend == "extension" and not probe.path:
        cause = f"there is no route from {probe.src} to the pods of {probe.dst}: the backend's commands have added none"
        fix = f"check the output of SubnetAddCommand: 'pybernetes logs --name {cluster.name} node-{probe.src}'"
        return Finding("unreachable", probe.src, cause, fix, probe.dst)
    if last is None and missing is None:
        cause = f"{probe.src} reaches {probe.dst} itself but not its pod network; kernel state and routes look right"
        fix = f"look for the packets: tcpdump -ni {probe.device} icmp on both nodes"
        return Finding("unreachable", probe.src, cause, fix, probe.dst)
    if last is not None and _at_end(last, missing):
        what = f"packets from {probe.src}" if missing else f"the replies of {probe.dst}"
        cause = f"{what} arrive at {last.link} of {last.node} and no further: {last.node} itself drops them"
        fix = f"on {last.node}, check what its packet filter does with packets from {last.link}: nft list ruleset"
        return Finding("filtered", probe.src, cause, fix, probe.dst)
    assert missing is not None, "a packet that was seen everywhere was dropped at the end"
    what = f"the replies of {probe.dst}" if missing.answer else f"packets for pods of {probe.dst}"
    if probe.path == "tunnel":
        port = _port(cluster)
        return Finding(
            "port-blocked",
            probe.src,
            f"{port} is blocked {_between(last, missing)}: {what} {_seen(last)}",
            f"allow {port} between all nodes, in the packet filter of {missing.node} and of any firewall between",
            probe.dst,
        )
    return Finding(
        "direct-blocked",
        probe.src,
        f"packets with pods' addresses are dropped {_between(last, missing)}: {what} {_seen(last)}",
        f"allow addresses of the pod network in {_UNDER} (source checks, port security), or use a tunnel: "
        f"'pybernetes network set-backend vxlan --name {cluster.name}'",
        probe.dst,
    )


def _at_end(last: Stage, missing: Stage | None) -> bool:
    """Whether the request or the reply reached its last link."""
    return missing is None or (
        missing.answer and not last.answer and (last.node, last.link) == (missing.node, missing.link)
    )


def _port(cluster: ClusterFacts) -> str:
    port = make(cluster.config.backend, cluster.config.options).port
    return f"UDP port {port}" if port else "the tunnel"


def _between(last: Stage | None, missing: Stage) -> str:
    if last is None or last.node == missing.node:
        return f"on {missing.node}"
    return f"between {last.node} and {missing.node}"


def _seen(last: Stage | None) -> str:
    if last is None:
        return "are not sent at all"
    verb = "leave" if last.direction == "out" else "arrive at"
    return f"{verb} {last.link} of {last.node} and are not seen after it"


def _too_large(cluster: ClusterFacts, probe: PairProbe) -> Finding:
    trail = probe.trail
    if trail and trail.seen and any(s.node == probe.dst and s.link == probe.device for s in trail.seen):
        return _damaged(probe)
    differ = _different(cluster, probe)
    fits = f"{probe.path_mtu} bytes pass" if probe.path_mtu else "smaller ones pass"
    cause = (
        f"packets of {probe.size} bytes, which pods of {probe.src} send, do not reach {probe.dst}; {fits}: "
        f"the MTU is too big for {_UNDER}{differ}"
    )
    has_option = make(cluster.config.backend, cluster.config.options).mtu is not None
    option = f" --option MTU={probe.path_mtu}" if probe.path_mtu and has_option else ""
    fix = f"raise the MTU of {_UNDER}, or lower that of the pods: " + (
        f"'pybernetes network set-backend {cluster.config.backend}{option} --name {cluster.name}'"
        if option
        else "set a smaller MTU on the nodes' interface; flannel follows"
    )
    return Finding("mtu-too-big", probe.src, cause, fix, probe.dst)


def _different(cluster: ClusterFacts, probe: PairProbe) -> str:
    """The MTUs of the interfaces of the two nodes, if they differ."""
    found = []
    for name in (probe.src, probe.dst):
        node = cluster.node(name)
        below = expected.underlay(node.kernel, node.lease) if node and node.kernel and node.lease else None
        found.append((name, below.link, below.mtu) if below else (name, "", 0))
    if len({mtu for _, _, mtu in found}) == 1:
        return ""
    return "; " + " and ".join(f"{link} of {name} has {mtu}" for name, link, mtu in found)


def _damaged(probe: PairProbe) -> Finding:
    what = "; ".join(probe.payload) or f"packets of {probe.size} bytes arrive and are discarded"
    cause = f"small pings pass from {probe.src} to {probe.dst}, but {what}: checksums are wrong on arrival"
    fix = f"switch checksum offload off on {probe.src}: ethtool -K {probe.device} tx-checksum-ip-generic off"
    return Finding("checksum", probe.src, cause, fix, probe.dst)


#: Codes for lost packets: one cause may show as a different code in each direction.
_LOST = ("port-blocked", "direct-blocked", "filtered", "unreachable")


def _merged(found: list[Finding]) -> list[Finding]:
    """Keep one finding for a fault that shows in both directions."""
    kept: dict[tuple[str, frozenset[str]], Finding] = {}
    for finding in found:
        code = "lost" if finding.code in _LOST else finding.code
        kept.setdefault((code, frozenset((finding.node, finding.peer))), finding)
    return list(kept.values())
