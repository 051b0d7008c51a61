"""Faults of what flannel writes for others: the MTU, rules in the packet filter, subnet.env. Pure."""

from collections.abc import Iterator, Mapping

from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.subnet_file import SubnetFile
from pybernetes.insight import expected
from pybernetes.insight.check_texts import mender
from pybernetes.insight.facts import ClusterFacts, KernelFacts, NodeFacts
from pybernetes.insight.findings import Finding, Severity


def mtu(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """Of the devices, and of what pods are told."""
    right = expected.mtu(cluster, node)
    mend = mender(cluster, node)
    for link in want.devices:
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


def rules(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """Flannel's own, in whichever packet filter they are."""
    for table, right in node.rules_right.items():
        now = node.rules.get(table)
        mend = mender(cluster, node)
        if now is None:
            cause = f"{_title(table)} is gone: pods are not masqueraded, and a firewall may drop them"
            yield Finding("rules-missing", node.name, cause, mend)
        elif now != right:
            before, after = _rule_lines(right), _rule_lines(now)
            lost, added = [x for x in before if x not in after], [x for x in after if x not in before]
            if before and not after:
                cause = f"{_title(table)} is empty: pods are not masqueraded, and a firewall may drop them"
                yield Finding("rules-missing", node.name, cause, mend)
                continue
            what = f"without {lost[0]!r}" if lost else f"with {added[0]!r}" if added else "in another order"
            more = len(lost) + len(added) - 1
            cause = f"{_title(table)} was changed: it is {what}{f' and {more} more' if more > 0 else ''}"
            yield Finding("rules-changed", node.name, cause, mend)


def _title(table: str) -> str:
    if table.startswith("iptables"):
        return f"what flannel has in {table}"
    return f"the nftables table {table}"


def _rule_lines(printed: str) -> list[str]:
    """The lines of a listing that are rules, and not the frame around them."""
    lines = [line.strip() for line in printed.splitlines()]
    return [x for x in lines if x and not x.endswith(("{", "}")) and not x.startswith(("type ", "comment "))]


def subnet_env(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts, want: Desired) -> Iterator[Finding]:
    """The file by which CNI knows the node's subnet."""
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
