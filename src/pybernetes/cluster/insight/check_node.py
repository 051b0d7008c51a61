"""Faults that the state of one node's kernel and files shows, beside what flannel would have there. Pure."""

from collections.abc import Callable, Iterator, Mapping

from pybernetes.cluster.insight import fib, wanted
from pybernetes.cluster.insight.check_place import check_place
from pybernetes.cluster.insight.facts import ClusterFacts, KernelFacts, NodeFacts
from pybernetes.cluster.insight.findings import Finding, Severity
from pybernetes.flannel.desired import Desired, PeerRoute, VxlanLink
from pybernetes.flannel.subnet_file import SubnetFile
from pybernetes.linux import addr
from pybernetes.linux.link import Link

_GLOBAL = addr.SCOPES["global"]

Check = Callable[[ClusterFacts, NodeFacts, KernelFacts, Desired], Iterator[Finding]]


def check_node(cluster: ClusterFacts, node: NodeFacts) -> list[Finding]:
    """All faults of one node."""
    found = list(check_place(cluster, node))
    want = wanted.desired(cluster, node)
    if node.kernel is None or want is None:
        return found
    misplaced = any(finding.code in ("wrong-interface", "lease-refused") for finding in found)
    for check in CHECKS:
        if not (misplaced and check is _links):
            found += check(cluster, node, node.kernel, want)
    return found


def mender(cluster: ClusterFacts, node: NodeFacts) -> str:
    """Who puts things right, as a sentence."""
    if node.agent:
        return (
            f"the agent of {node.name} should mend this within a second; "
            f"'pybernetes logs --name {cluster.name} node-{node.name}' tells why it does not"
        )
    return f"start the agent of {node.name}, which mends it: 'pybernetes up --name {cluster.name}'"


def peer_of(reason: str) -> str:
    """The node that a kernel object's reason names."""
    return reason.removeprefix("lease of ") if reason.startswith("lease of ") else ""


def _links(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    mend = mender(cluster, node)
    for link in wanted.devices(want):
        have = kernel.link(link.name)
        if have is None:
            yield Finding("link-missing", node.name, f"{link.name} is not there: somebody removed it", mend)
            continue
        differs = _differences(kernel, link, have) if isinstance(link, VxlanLink) else []
        if differs:
            yield Finding("link-wrong", node.name, f"{link.name}: {', '.join(differs)}", mend)
        if not have.up:
            yield Finding("link-down", node.name, f"{link.name} is down: somebody set it down", mend)
    for leftover in kernel.links:
        if (
            leftover.kind in ("vxlan", "tun")
            and leftover.name.startswith("flannel")
            and leftover.name not in _names(want)
        ):
            cause = f"{leftover.name} is no longer needed by the backend {cluster.config.backend}"
            fix = "it goes by itself about 15 s after the last node has changed over"
            yield Finding("leftover", node.name, cause, fix, severity=Severity.WARNING)


def _differences(kernel: KernelFacts, want: VxlanLink, have: Link) -> list[str]:
    info = have.vxlan
    if info is None:
        return [f"it is a {have.kind or 'plain'} device and no VXLAN"]
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
    return {link.name for link in wanted.devices(want)}


def _addresses(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    have = {(kernel.name(a.index), a.cidr) for a in kernel.addresses}
    for a in want.addresses:
        if kernel.link(a.link) is not None and (a.link, a.cidr) not in have:
            cause = f"{a.link} lacks its address {a.cidr}, so the node itself has no source address for pods elsewhere"
            yield Finding("address-missing", node.name, cause, mender(cluster, node))
    ours = {(a.link, a.cidr) for a in want.addresses}
    for stray in kernel.addresses:
        link = kernel.name(stray.index)
        if stray.scope == _GLOBAL and link in _names(want) and (link, stray.cidr) not in ours:
            cause = f"{link} has the address {stray.cidr}, which is not ours"
            yield Finding("address-stray", node.name, cause, mender(cluster, node), severity=Severity.WARNING)


def _routes(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for r in want.routes:
        link = kernel.link(r.link)
        if link is None or not link.up:
            continue  # reported as the link's fault
        peer, mend = peer_of(r.reason), mender(cluster, node)
        same = [k for k in kernel.routes if k.dst == r.dst and k.table == 254]
        if not same:
            cause = f"there is no route to {r.dst}, {_whose(peer, r)}: somebody removed it"
            yield Finding("route-missing", node.name, cause, mend, peer)
        elif not any(_is(kernel, k.gateway, k.device, r) for k in same):
            wrong = same[0]
            how = f"via {wrong.gateway} dev {kernel.name(wrong.device)}" if wrong.device else wrong.kind
            cause = f"the route to {r.dst}, {_whose(peer, r)}, goes {how} instead of {_via(r)}dev {r.link}"
            yield Finding("route-wrong", node.name, cause, mend, peer)
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
                f"{taken.metric}) stands before flannel's route to {r.dst} of {peer}"
            )
            fix = f"remove it on {node.name}: ip route del {taken.dst} dev {kernel.name(taken.device)}"
            yield Finding("route-shadowed", node.name, cause, fix, peer)


def _neighbours(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for n in want.neighbours:
        link, peer = kernel.link(n.link), peer_of(n.reason)
        if link is None or not link.up:
            continue  # a link that is set down forgets its neighbours
        have = next((k for k in kernel.neighbours if k.index == link.index and k.ip == n.ip and k.mac), None)
        if have is None:
            cause = f"{n.link} has no neighbour entry for {n.ip}, the tunnel's end at {peer}"
            yield Finding("neighbour-missing", node.name, cause, mender(cluster, node), peer)
        elif have.mac != n.mac:
            cause = f"{n.link} takes {n.ip} of {peer} to have the MAC {have.mac}; its lease says {n.mac}"
            yield Finding("neighbour-wrong", node.name, cause, mender(cluster, node), peer)


def _forwarding(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for f in want.forwarding:
        link, peer = kernel.link(f.link), peer_of(f.reason)
        if link is None:
            continue
        ends = fib.tunnel_ends(kernel, link.index, f.mac)
        if not ends:
            cause = f"{f.link} has no FDB entry for {f.mac}: it does not know the outer address of {peer}"
            yield Finding("fdb-missing", node.name, cause, mender(cluster, node), peer)
        elif ends != [f.dst]:
            cause = f"{f.link} sends frames for {peer} to {', '.join(ends)}; its lease says {f.dst}"
            yield Finding("fdb-wrong", node.name, cause, mender(cluster, node), peer)


def _mtu(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    right = wanted.mtu(cluster, node)
    mend = mender(cluster, node)
    for link in wanted.devices(want):
        have = kernel.link(link.name)
        if have is not None and have.mtu > link.mtu:
            cause = (
                f"the MTU of {link.name} is {have.mtu}, more than the {link.mtu} that fit through the interface "
                "below with the outer headers: large packets are cut in pieces or lost"
            )
            yield Finding("mtu-too-big", node.name, cause, mend)
        elif have is not None and have.mtu < link.mtu:
            cause = f"the MTU of {link.name} is {have.mtu}; {link.mtu} would fit"
            yield Finding("mtu-small", node.name, cause, mend, severity=Severity.WARNING)
    told = _env(node.subnet_env or "").get("FLANNEL_MTU", "")
    if told.isdigit() and right and int(told) > right:
        cause = f"subnet.env gives pods an MTU of {told}, and only {right} fit through the network under the nodes"
        yield Finding("mtu-too-big", node.name, cause, mend, peer="")


def _rules(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for table, right in node.rules_right.items():
        now = node.rules.get(table)
        mend = mender(cluster, node)
        if now is None:
            cause = f"the nftables table {table} is gone: pods are not masqueraded, and a firewall may drop them"
            yield Finding("rules-missing", node.name, cause, mend)
        elif now != right:
            before, after = _rule_lines(right), _rule_lines(now)
            lost, added = [x for x in before if x not in after], [x for x in after if x not in before]
            if before and not after:
                cause = f"the nftables table {table} is empty: pods are not masqueraded, and a firewall may drop them"
                yield Finding("rules-missing", node.name, cause, mend)
                continue
            what = f"without {lost[0]!r}" if lost else f"with {added[0]!r}" if added else "in another order"
            more = len(lost) + len(added) - 1
            cause = f"the nftables table {table} was changed: it is {what}{f' and {more} more' if more > 0 else ''}"
            yield Finding("rules-changed", node.name, cause, mend)


def _rule_lines(printed: str) -> list[str]:
    """The lines of a listing that are rules, and not the frame around them."""
    lines = [line.strip() for line in printed.splitlines()]
    return [x for x in lines if x and not x.endswith(("{", "}")) and not x.startswith(("type ", "comment "))]


def _subnet_env(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    if node.lease is None:
        return
    families = {
        family.version: (str(family.network), f"{part.gateway}/{part.subnet.prefixlen}")
        for family in cluster.config.families
        if (part := node.lease.family(family.version)) is not None
    }
    right = _env(SubnetFile(families, wanted.mtu(cluster, node), True).render())
    if node.subnet_env is None:
        cause = "subnet.env is missing: no new pod can be attached"
        yield Finding("subnet-env-missing", node.name, cause, mender(cluster, node))
        return
    have = _env(node.subnet_env)
    for key, value in right.items():
        if have.get(key) != value and not (key == "FLANNEL_MTU" and have.get(key, "").isdigit()):
            cause = f"subnet.env says {key}={have.get(key, 'nothing')}, and it should be {value}"
            yield Finding(
                "subnet-env-wrong", node.name, f"{cause}: new pods get addresses of it", mender(cluster, node)
            )


def _env(text: str) -> Mapping[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def _refused(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    for problem in want.problems:
        peer = problem.partition(" ")[0].rstrip(":")
        known = peer if cluster.node(peer) is not None else ""
        segment = "is not on the segment" in problem
        code = "other-segment" if segment else "lease-refused"
        fix = (
            f"'pybernetes network set-backend vxlan --option DirectRouting=true --name {cluster.name}' reaches "
            "every node, and without a tunnel where it can"
            if segment
            else f"correct the annotations of Node {known or peer}; its agent writes them anew when it is restarted"
        )
        yield Finding(
            code,
            node.name if segment else known,
            problem if segment else problem.partition(": ")[2] or problem,
            fix,
            known if segment else "",
        )


CHECKS: tuple[Check, ...] = (_refused, _links, _addresses, _routes, _neighbours, _forwarding, _mtu, _rules, _subnet_env)
