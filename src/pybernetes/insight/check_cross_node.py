"""Faults that show only when nodes are compared: values that must be unique and are not. Pure."""

from collections import defaultdict
from collections.abc import Iterator

from pybernetes.flannel.api_facts import unenforced
from pybernetes.insight import expected
from pybernetes.insight.facts import ClusterFacts
from pybernetes.insight.findings import Finding, Severity


def check_together(cluster: ClusterFacts) -> Iterator[Finding]:
    """All nodes."""
    yield from _macs_of_leases(cluster)
    yield from _macs_below(cluster)
    if cluster.policies:
        fix = "install a policy engine such as kube-network-policies, or remove the policies"
        cause = unenforced(cluster.policies).partition(". ")[0]
        yield Finding("policies-unenforced", "", cause, fix, severity=Severity.WARNING)


def _macs_of_leases(cluster: ClusterFacts) -> Iterator[Finding]:
    """Peers send frames to a node by the MAC of its tunnel."""
    owners: dict[str, list[str]] = defaultdict(list)
    for lease in cluster.leases:
        macs = {str(part.data["VtepMAC"]).lower() for part in lease.families if "VtepMAC" in part.data}
        for mac in macs:
            owners[mac].append(lease.node)
    for mac, (first, *others) in owners.items():
        for other in others:
            cause = f"{other} and {first} announce the same MAC {mac} for their tunnels: one gets the other's packets"
            fix = f"on {other}: ip link del flannel.1; its agent recreates it with another MAC"
            yield Finding("mac-duplicate", other, cause, fix, first)


def _macs_below(cluster: ClusterFacts) -> Iterator[Finding]:
    """With one MAC on two interfaces of a segment, the switch sends frames to the one that sent last."""
    owners: dict[tuple[str, str], str] = {}
    for node in cluster.nodes:
        below = expected.underlay(node.kernel, node.lease) if node.kernel and node.lease else None
        link = node.kernel.link(below.link) if node.kernel and below else None
        for segment in {str(address.network) for address in below.addresses} if below and link and link.mac else ():
            assert link is not None
            first = owners.setdefault((link.mac, segment), node.name)
            if first != node.name:
                cause = f"{link.name} of {node.name} has the same MAC {link.mac} as {first} on the segment {segment}"
                fix = f"give {node.name} another MAC (cloned machines share one): ip link set {link.name} address"
                yield Finding("mac-duplicate", node.name, cause, fix, first)
                break
