"""Packet filters and sysctls outside the cluster that drop or change pods' packets. Pure.

Probes do not find these: they go from node to node, and forwarded packets meet other rules.
"""

from collections.abc import Iterator

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.insight import fib
from pybernetes.insight.facts import ClusterFacts, KernelFacts, NodeFacts
from pybernetes.insight.filters import Base, Packet, Verdict, bases
from pybernetes.insight.findings import Finding, Severity
from pybernetes.insight.snat import masquerade
from pybernetes.insight.sysctls import BRIDGE_FILTER, CONNTRACK_COUNT, CONNTRACK_MAX, reverse_path

_BRIDGE = "cni0"
_JUMP = "FLANNEL-FWD"
#: Share of the conntrack table above which it is nearly full.
_NEARLY = 0.9


def check_filters(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """One node."""
    yield from _forward(cluster, node, kernel)
    yield from _settings(cluster, node, kernel)


def _packets(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts) -> Iterator[tuple[str, Packet]]:
    """(description, packet): one to a pod on another node and one from there, per IP family and outgoing link."""
    done = set()
    for family in cluster.config.families:
        mine = node.lease.family(family.version) if node.lease else None
        for lease in cluster.leases:
            theirs = lease.family(family.version)
            if mine is None or theirs is None or lease.node == node.name:
                continue
            here, there = str(mine.gateway + 1), str(theirs.gateway + 1)
            route = fib.lookup(kernel, there, without_default=True)
            device = kernel.name(route.device) if route is not None and route.device else ""
            if not device or (family.version, device) in done:
                continue
            done.add((family.version, device))
            yield f"packets from pods of {node.name} to {lease.node}", Packet(here, there, 0, _BRIDGE, device)
            yield f"packets from {lease.node} for pods of {node.name}", Packet(there, here, 0, device, _BRIDGE)


def _forward(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts) -> Iterator[Finding]:
    reported = set()
    for what, packet in _packets(cluster, node, kernel):
        for base in bases(kernel, "forward", "filter", packet):
            found = base.decide()
            if found.verdict in ("drop", "reject") and base.text not in reported:
                reported.add(base.text)
                severity = Severity.FAULT if found.sure else Severity.WARNING
                doubt = "" if found.sure else ", unless a rule that this tool cannot evaluate accepts them"
                cause = f"{_drops(base, found)} {what}{doubt}"
                yield Finding("forward-drop", node.name, cause, _accept(cluster, node, base), severity=severity)
        changed = masquerade(kernel, packet)
        # Changes to flannel's own rules are reported elsewhere.
        if changed.changed and "flannel" not in changed.rule.lower() and "source" not in reported:
            reported.add("source")
            cause = f"{changed.rule} changes the source address of {what}: pods no longer see the client's address"
            fix = f"remove that rule on {node.name}, or exclude {_networks(cluster, packet.version)} from it"
            yield Finding("source-changed", node.name, cause, fix)


def _drops(base: Base, found: Verdict) -> str:
    if not found.rule:
        return f"{base.text} has the policy drop (Docker and firewalls set it), and none of its rules accepts"
    return f"{found.rule if found.rule.startswith('the rule') else f'{base.text}, {found.rule},'} {found.verdict}s"


def _networks(cluster: ClusterFacts, version: int) -> str:
    return ", ".join(str(family.network) for family in cluster.config.families if family.version == version)


def _accept(cluster: ClusterFacts, node: NodeFacts, base: Base) -> str:
    version = 6 if base.text.startswith(("ip6tables", "nft chain ip6 ")) else 4
    pods = _networks(cluster, version)
    if base.table.startswith("iptables"):
        tool = "ip6tables" if version == 6 else "iptables"
        return (
            f"on {node.name}: {tool} -I {base.chain} -s {pods} -j ACCEPT && {tool} -I {base.chain} -d {pods} -j ACCEPT"
            + ("" if cluster.config.enable_nftables else f"; or move the rule behind flannel's jump to {_JUMP}")
        )
    family = "ip6" if version == 6 else "ip"
    rule = f"nft insert rule {base.table} {base.chain} {family}"
    both = f"{rule} saddr {pods} accept && {rule} daddr {pods} accept"
    return f"on {node.name}: {both} (an accept in another chain does not help)"


def _settings(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts) -> Iterator[Finding]:
    if not kernel.settings:
        return
    for version, name in BRIDGE_FILTER.items():
        if cluster.config.family(version) is None or kernel.settings.get(name) == "1":
            continue
        off = name in kernel.settings
        cause = (
            f"{name} is 0 on {node.name}: a pod that calls a Service whose endpoint is on the same node gets no reply"
            if off
            else f"the kernel of {node.name} has no {name} (the module br_netfilter is not loaded): a pod that calls a "
            "Service whose endpoint is on the same node gets no reply"
        )
        fix = f"sysctl -w {name}=1 on {node.name}" if off else "modprobe br_netfilter"
        severity = Severity.FAULT if off else Severity.WARNING
        yield Finding("bridge-filter-off", node.name, cause, fix, severity=severity)
    yield from _strict(node, kernel)
    count, most = (kernel.settings.get(name, "") for name in (CONNTRACK_COUNT, CONNTRACK_MAX))
    if count.isdigit() and most.isdigit() and int(count) >= _NEARLY * int(most) > 0:
        full = int(count) >= int(most)
        cause = f"the conntrack table of {node.name} has {count} of {most} entries: new connections are dropped" + (
            "" if full else " once it is full"
        )
        fix = f"sysctl -w {CONNTRACK_MAX}={2 * int(most)}, or find what opens so many connections: conntrack -L"
        severity = Severity.FAULT if full else Severity.WARNING
        yield Finding("connections-full", node.name, cause, fix, severity=severity)


def _strict(node: NodeFacts, kernel: KernelFacts) -> Iterator[Finding]:
    everywhere = kernel.settings.get(reverse_path("all"), "0")
    strict = [
        li.name
        for li in kernel.links
        if not (li.loopback or li.master) and max(everywhere, kernel.settings.get(reverse_path(li.name), "0")) == "1"
    ]
    if strict:
        cause = (
            f"rp_filter is strict on {', '.join(strict)} of {node.name}: packets whose reply would leave by another "
            "interface are dropped, as happens during a backend change or with several interfaces"
        )
        fix = f"sysctl -w net.ipv4.conf.all.rp_filter=2 on {node.name}"
        yield Finding("rp-filter-strict", node.name, cause, fix, severity=Severity.WARNING)
