"""Faults of one node: differences between its kernel and files and what flannel wants there. Pure."""

import re
from collections.abc import Callable, Iterator

from pybernetes.flannel.backends import device_kinds
from pybernetes.flannel.backends.vxlan import VxlanLink
from pybernetes.flannel.kernel.desired import Desired, Device, PeerRoute
from pybernetes.flannel.options import FlannelOptions
from pybernetes.insight import check_outputs, expected, fib
from pybernetes.insight.check_backend import check_backend
from pybernetes.insight.check_filters import check_filters
from pybernetes.insight.check_lease import check_place
from pybernetes.insight.check_texts import peer_of, repair_hint
from pybernetes.insight.facts import ClusterFacts, KernelFacts, NodeFacts
from pybernetes.insight.findings import Finding, Severity
from pybernetes.linux import addr
from pybernetes.linux.link import Link

BRIDGE = "cni0"
_GLOBAL = addr.SCOPES["global"]

#: The problem that flannel reports for a lease with the subnet of another lease.
_TWICE = re.compile(r"subnet (\S+) belongs to (\S+) already")

#: By type of the desired device.
_DEVICE_KINDS = {kind.type: kind for kind in device_kinds(FlannelOptions(node_name=""))}

Check = Callable[[ClusterFacts, NodeFacts, KernelFacts, Desired], Iterator[Finding]]


def check_node(cluster: ClusterFacts, node: NodeFacts) -> list[Finding]:
    """All faults of one node."""
    found = list(check_place(cluster, node))
    want = expected.desired(cluster, node)
    if node.kernel is None or want is None:
        return found
    misplaced = any(finding.code in ("wrong-interface", "lease-refused") for finding in found)
    for check in CHECKS:
        if not (misplaced and check is _links):
            found += check(cluster, node, node.kernel, want)
    return found


def _links(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    fix = repair_hint(cluster, node)
    for link in want.devices:
        have = kernel.link(link.name)
        if have is None:
            yield Finding("link-missing", node.name, f"{link.name} is missing: it was removed", fix)
            continue
        differs = _differences(kernel, link, have)
        if differs:
            yield Finding("link-wrong", node.name, f"{link.name}: {', '.join(differs)}", fix)
        if not have.up:
            yield Finding("link-down", node.name, f"{link.name} is down: it was set down", fix)
    names = {link.name for link in want.devices}
    for leftover in kernel.links:
        if any(kind.is_ours(leftover) for kind in _DEVICE_KINDS.values()) and leftover.name not in names:
            cause = f"{leftover.name} is no longer needed by the backend {cluster.config.backend}"
            fix = "flannel removes it about 15 s after the last node has changed over"
            yield Finding("leftover", node.name, cause, fix, severity=Severity.WARNING)


def _differences(kernel: KernelFacts, want: Device, have: Link) -> list[str]:
    """Differences in properties that cannot be changed in place."""
    if not isinstance(want, VxlanLink):
        by_name = {li.name: li for li in kernel.links}
        kind = _DEVICE_KINDS[type(want)]
        fits = kind.fits(want, have, by_name)
        return [] if fits else [f"it is a {have.kind or 'plain'} device, not {kind.describe(want)}"]
    info = have.vxlan
    if info is None:
        return [f"it is a {have.kind or 'plain'} device, not a VXLAN"]
    return [
        f"{what} is {found} instead of {right}"
        for what, found, right in (
            ("its VNI", info.vni, want.vni),
            ("its UDP port", info.port, want.port),
            ("its local address", info.local, want.local),
            ("its interface", kernel.name(info.device), want.underlay),
            ("its MAC", have.mac, want.mac or have.mac),
        )
        if found != right
    ]


def _names(want: Desired) -> set[str]:
    return {link.name for link in want.devices}


def _addresses(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    have = {(kernel.name(a.index), a.cidr) for a in kernel.addresses}
    for a in want.addresses:
        if kernel.link(a.link) is not None and (a.link, a.cidr) not in have:
            cause = f"{a.link} lacks its address {a.cidr}, so the node has no source address for pods on other nodes"
            yield Finding("address-missing", node.name, cause, repair_hint(cluster, node))
    ours = {(a.link, a.cidr) for a in want.addresses}
    for stray in kernel.addresses:
        link = kernel.name(stray.index)
        if stray.scope == _GLOBAL and link in _names(want) and (link, stray.cidr) not in ours:
            cause = f"{link} has the address {stray.cidr}, which flannel did not set"
            yield Finding("address-stray", node.name, cause, repair_hint(cluster, node), severity=Severity.WARNING)


def _bridge(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """The gateway of the node's own pods, on the bridge that CNI created."""
    bridge = kernel.link(BRIDGE)
    if bridge is None or bridge.kind != "bridge" or node.lease is None:
        return
    have = [a.cidr for a in kernel.addresses if a.index == bridge.index and a.scope == _GLOBAL]
    right = [f"{part.gateway}/{part.subnet.prefixlen}" for part in node.lease.families]
    for gateway in right:
        if gateway not in have:
            has = f", but {', '.join(have)}" if have else ""
            cause = f"{BRIDGE} of {node.name} does not have {gateway}, the gateway of its pods{has}: they are cut off"
            yield Finding("gateway-missing", node.name, cause, repair_hint(cluster, node))
    for stray in have:
        if stray not in right and set(right) <= set(have):
            cause = (
                f"{BRIDGE} of {node.name} has the additional address {stray}, from a previous subnet or another program"
            )
            fix = f"ip addr del {stray} dev {BRIDGE} on {node.name}"
            yield Finding("address-stray", node.name, cause, fix, severity=Severity.WARNING)


def _routes(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for r in want.routes:
        link = kernel.link(r.link)
        if link is None or not link.up:
            continue  # reported as the link's fault
        peer, fix = peer_of(r.reason), repair_hint(cluster, node)
        same = [k for k in kernel.routes if k.dst == r.dst and k.table == 254]
        if not same:
            cause = f"there is no route to {r.dst}, {_whose(peer, r)}: it was removed"
            yield Finding("route-missing", node.name, cause, fix, peer)
        elif not any(_is(kernel, k.gateway, k.device, r) for k in same):
            wrong = same[0]
            how = f"via {wrong.gateway} dev {kernel.name(wrong.device)}" if wrong.device else wrong.kind
            cause = f"the route to {r.dst}, {_whose(peer, r)}, goes {how} instead of {_via(r)}dev {r.link}"
            yield Finding("route-wrong", node.name, cause, fix, peer)
        else:
            yield from _shadow(node, kernel, r, peer, cluster)


def _whose(peer: str, r: PeerRoute) -> str:
    return f"the subnet of {peer}" if peer else f"for the {r.reason}"


def _via(r: PeerRoute) -> str:
    return f"via {r.gateway} " if r.gateway else ""


def _is(kernel: KernelFacts, gateway: str, device: int, want: PeerRoute) -> bool:
    return gateway == want.gateway and kernel.name(device) == want.link


def _shadow(node: NodeFacts, kernel: KernelFacts, r: PeerRoute, peer: str, cluster: ClusterFacts) -> Iterator[Finding]:
    lease = next((lease for lease in cluster.leases if lease.node == peer), None)
    for part in lease.families if lease else ():
        taken = fib.lookup(kernel, str(part.gateway)) if str(part.subnet) == r.dst else None
        if taken is not None and not _is(kernel, taken.gateway, taken.device, r):
            cause = (
                f"a route to {taken.dst} by {kernel.name(taken.device)} (protocol {taken.protocol}, metric "
                f"{taken.metric}) takes precedence over flannel's route to {r.dst} of {peer}"
            )
            fix = f"remove it on {node.name}: ip route del {taken.dst} dev {kernel.name(taken.device)}"
            yield Finding("route-shadowed", node.name, cause, fix, peer)


def _neighbours(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for n in want.neighbours:
        link, peer = kernel.link(n.link), peer_of(n.reason)
        if link is None or not link.up:
            continue  # setting a link down removes its neighbours
        have = next((k for k in kernel.neighbours if k.index == link.index and k.ip == n.ip and k.mac), None)
        if have is None:
            cause = f"{n.link} has no neighbour entry for {n.ip}, the tunnel endpoint of {peer}"
            yield Finding("neighbour-missing", node.name, cause, repair_hint(cluster, node), peer)
        elif have.mac != n.mac:
            cause = f"{n.link} has the MAC {have.mac} for {n.ip} of {peer}; its lease has {n.mac}"
            yield Finding("neighbour-wrong", node.name, cause, repair_hint(cluster, node), peer)


def _forwarding(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for f in want.forwarding:
        link, peer = kernel.link(f.link), peer_of(f.reason)
        if link is None:
            continue
        ends = fib.tunnel_ends(kernel, link.index, f.mac)
        if not ends:
            cause = f"{f.link} has no FDB entry for {f.mac}: the outer address of {peer} is unknown"
            yield Finding("fdb-missing", node.name, cause, repair_hint(cluster, node), peer)
        elif ends != [f.dst]:
            cause = f"{f.link} sends frames for {peer} to {', '.join(ends)}; its lease has {f.dst}"
            yield Finding("fdb-wrong", node.name, cause, repair_hint(cluster, node), peer)


def _refused(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for problem in want.problems:
        name, _, rest = problem.partition(": ")
        peer = name.partition(" ")[0]
        known = peer if cluster.node(peer) is not None else ""
        twice = _TWICE.search(rest)
        if "carries IPv4 only" in problem:
            fix = f"'pybernetes network set-backend vxlan --name {cluster.name}' carries both families"
            yield Finding("family-unsupported", "", problem, fix)
            continue
        if "is not on the segment" in problem or "is behind a router" in problem:
            fix = (
                f"'pybernetes network set-backend vxlan --option DirectRouting=true --name {cluster.name}' reaches "
                "every node, without a tunnel where possible"
            )
            yield Finding("other-segment", node.name, problem, fix, known)
        elif twice is not None:
            one, other = sorted((peer, twice[2]))
            cause = f"{one} and {other} have the same subnet {twice[1]}: pods of both get the same addresses"
            fix = f"kubectl delete node {other}, and restart its kubelet: it gets another subnet"
            yield Finding("subnet-duplicate", one, cause, fix, other)
        else:
            fix = f"correct the annotations of Node {known or peer}; its agent rewrites them when it is restarted"
            yield Finding("lease-refused", known, rest or problem, fix)


CHECKS: tuple[Check, ...] = (
    # Refused leases and missing devices explain much of what the later checks find.
    _refused,
    _links,
    _addresses,
    _bridge,
    _routes,
    _neighbours,
    _forwarding,
    check_backend,
    check_outputs.mtu,
    check_outputs.rules,
    check_filters,
    check_outputs.subnet_env,
)
