"""Packet filters and settings of others that stand in the way of pods' packets. Pure.

Probes don't show these: they go from node to node, and what is forwarded meets other rules.
"""

from collections.abc import Iterator

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.insight import fib
from pybernetes.insight.facts import ClusterFacts, KernelFacts, NodeFacts
from pybernetes.insight.filters import Base, Packet, Verdict, bases
from pybernetes.insight.findings import Finding, Severity
from pybernetes.insight.snat import masquerade
from pybernetes.insight.sysctls import BRIDGE_FILTER, CONNECTIONS, MOST_CONNECTIONS, reverse_path

_BRIDGE = "cni0"
_JUMP = "FLANNEL-FWD"
#: Share of the connection table from which on it is nearly full.
_NEARLY = 0.9


def check_filters(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """One node."""
    yield from _forward(cluster, node, kernel)
    yield from _settings(cluster, node, kernel)


def _packets(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts) -> Iterator[tuple[str, Packet]]:
    """(what it is, packet): one to a pod elsewhere and one from there, per family and way out."""
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
            yield f"what pods of {node.name} send to {lease.node}", Packet(here, there, 0, _BRIDGE, device)
            yield f"what comes from {lease.node} for pods of {node.name}", Packet(there, here, 0, device, _BRIDGE)


def _forward(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts) -> Iterator[Finding]:
    told = set()
    for what, packet in _packets(cluster, node, kernel):
        for base in bases(kernel, "forward", "filter", packet):
            found = base.decide()
            if found.verdict in ("drop", "reject") and base.text not in told:
                told.add(base.text)
                severity = Severity.FAULT if found.sure else Severity.WARNING
                doubt = "" if found.sure else ", unless a rule that is not understood here accepts it"
                cause = f"{_drops(base, found)} {what}{doubt}"
                yield Finding("forward-drop", node.name, cause, _accept(cluster, node, base), severity=severity)
        changed = masquerade(kernel, packet)
        # That flannel's own rules are not whole is said elsewhere.
        if changed.changed and "flannel" not in changed.rule.lower() and "source" not in told:
            told.add("source")
            cause = f"{changed.rule} gives {what} another source address: pods no longer see who calls them"
            fix = f"remove that rule on {node.name}, or let it except {_networks(cluster, packet.version)}"
            yield Finding("source-changed", node.name, cause, fix)


def _drops(base: Base, found: Verdict) -> str:
    if not found.rule:
        return f"{base.text} has the policy drop (Docker and firewalls set it), and no rule of it accepts"
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
    return f"on {node.name}: {rule} saddr {pods} accept && {rule} daddr {pods} accept (accepting elsewhere is no help)"


def _settings(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts) -> Iterator[Finding]:
    if not kernel.settings:
        return
    for version, name in BRIDGE_FILTER.items():
        if cluster.config.family(version) is None or kernel.settings.get(name) == "1":
            continue
        off = name in kernel.settings
        cause = (
            f"{name} is 0 on {node.name}: a pod that calls a Service whose endpoint is on the same node gets no answer"
            if off
            else f"the kernel of {node.name} has no {name} (the module br_netfilter is not loaded): a pod that calls a "
            "Service whose endpoint is on the same node gets no answer"
        )
        fix = f"sysctl -w {name}=1 on {node.name}" if off else "modprobe br_netfilter"
        severity = Severity.FAULT if off else Severity.WARNING
        yield Finding("bridge-filter-off", node.name, cause, fix, severity=severity)
    yield from _strict(node, kernel)
    count, most = (kernel.settings.get(name, "") for name in (CONNECTIONS, MOST_CONNECTIONS))
    if count.isdigit() and most.isdigit() and int(count) >= _NEARLY * int(most) > 0:
        full = int(count) >= int(most)
        cause = f"the connection table of {node.name} has {count} of {most} entries: new connections are dropped" + (
            "" if full else " when it is full"
        )
        fix = f"sysctl -w {MOST_CONNECTIONS}={2 * int(most)}, or find who opens so many: conntrack -L"
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
            f"rp_filter is strict on {', '.join(strict)} of {node.name}: packets whose answer would leave by another "
            "interface are dropped, as while the backend is switched, or with several interfaces"
        )
        fix = f"sysctl -w net.ipv4.conf.all.rp_filter=2 on {node.name}"
        yield Finding("rp-filter-strict", node.name, cause, fix, severity=Severity.WARNING)
