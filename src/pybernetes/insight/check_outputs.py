"""Faults of what flannel writes for other programs: MTUs, packet filter rules, subnet.env. Pure."""

from collections.abc import Iterator, Mapping

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.subnet_file import SubnetFile
from pybernetes.insight import expected
from pybernetes.insight.check_texts import repair_hint
from pybernetes.insight.facts import ClusterFacts, KernelFacts, NodeFacts
from pybernetes.insight.findings import Finding, Severity


def mtu(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """The MTU of flannel's devices, and the one that subnet.env gives to pods."""
    right = expected.mtu(cluster, node)
    fix = repair_hint(cluster, node)
    for link in want.devices:
        have = kernel.link(link.name)
        if have is not None and have.mtu > link.mtu:
            cause = (
                f"the MTU of {link.name} is {have.mtu}; with the outer headers only {link.mtu} fit through the "
                "underlay interface: large packets are fragmented or lost"
            )
            yield Finding("mtu-too-big", node.name, cause, fix)
        elif have is not None and have.mtu < link.mtu:
            cause = f"the MTU of {link.name} is {have.mtu}; {link.mtu} would fit"
            yield Finding("mtu-small", node.name, cause, fix, severity=Severity.WARNING)
    given = _env(node.subnet_env or "").get("FLANNEL_MTU", "")
    if given.isdigit() and right and int(given) > right:
        cause = f"subnet.env gives pods an MTU of {given}, but only {right} fit through the underlay network"
        yield Finding("mtu-too-big", node.name, cause, fix, peer="")


def rules(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """Flannel's own rules, in nftables or iptables."""
    for table, right in node.rules_expected.items():
        now = node.rules.get(table)
        fix = repair_hint(cluster, node)
        if now is None:
            cause = f"{_title(table)} is missing: pods are not masqueraded, and a firewall may drop them"
            yield Finding("rules-missing", node.name, cause, fix)
        elif now != right:
            before, after = _rule_lines(right), _rule_lines(now)
            lost, added = [x for x in before if x not in after], [x for x in after if x not in before]
            if before and not after:
                cause = f"{_title(table)} is empty: pods are not masqueraded, and a firewall may drop them"
                yield Finding("rules-missing", node.name, cause, fix)
                continue
            what = f"without {lost[0]!r}" if lost else f"with {added[0]!r}" if added else "in another order"
            more = len(lost) + len(added) - 1
            cause = f"{_title(table)} was changed: it is {what}{f' and {more} more' if more > 0 else ''}"
            yield Finding("rules-changed", node.name, cause, fix)


def _title(table: str) -> str:
    if table.startswith("iptables"):
        return f"the set of flannel's rules in {table}"
    return f"the nftables table {table}"


def _rule_lines(printed: str) -> list[str]:
    """The lines of a listing that are rules, without the lines around them."""
    lines = [line.strip() for line in printed.splitlines()]
    return [x for x in lines if x and not x.endswith(("{", "}")) and not x.startswith(("type ", "comment "))]


def subnet_env(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """The file from which CNI plugins read the node's subnet."""
    if node.lease is None:
        return
    families = {
        family.version: (str(family.network), f"{part.gateway}/{part.subnet.prefixlen}")
        for family in cluster.config.families
        if (part := node.lease.family(family.version)) is not None
    }
    right = _env(SubnetFile(families, expected.mtu(cluster, node), True).render())
    if node.subnet_env is None:
        cause = "subnet.env is missing: no new pod can be attached"
        yield Finding("subnet-env-missing", node.name, cause, repair_hint(cluster, node))
        return
    have = _env(node.subnet_env)
    for key, value in right.items():
        if have.get(key) != value and not (key == "FLANNEL_MTU" and have.get(key, "").isdigit()):
            cause = f"subnet.env has {key}={have.get(key, 'nothing')} instead of {value}"
            yield Finding(
                "subnet-env-wrong", node.name, f"{cause}: new pods get addresses from it", repair_hint(cluster, node)
            )


def _env(text: str) -> Mapping[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
