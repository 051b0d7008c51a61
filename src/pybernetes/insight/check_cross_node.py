"""Faults that only show when nodes are laid side by side: what two of them have and only one may. Pure."""

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
        fix = "put a policy engine beside flannel, such as kube-network-policies, or remove them"
        told = unenforced(cluster.policies).partition(". ")[0]
        yield Finding("policies-unenforced", "", told, fix, severity=Severity.WARNING)


def _macs_of_leases(cluster: ClusterFacts) -> Iterator[Finding]:
    """A tunnel's MAC says which node a frame is for."""
    owners: dict[str, list[str]] = defaultdict(list)
    for lease in cluster.leases:
        macs = {str(part.data["VtepMAC"]).lower() for part in lease.families if "VtepMAC" in part.data}
        for mac in macs:
            owners[mac].append(lease.node)
    for mac, (first, *others) in owners.items():
        for other in others:
            cause = f"{other} and {first} announce the same MAC {mac} for their tunnels: one gets the other's packets"
            fix = f"on {other}: ip link del flannel.1; its agent makes it again, with another MAC"
            yield Finding("mac-duplicate", other, cause, fix, first)


def _macs_below(cluster: ClusterFacts) -> Iterator[Finding]:
    """Two interfaces with one MAC on one segment: the switch sends to whichever spoke last."""
    owners: dict[tuple[str, str], str] = {}
    for node in cluster.nodes:
        below = expected.underlay(node.kernel, node.lease) if node.kernel and node.lease else None
        link = node.kernel.link(below.link) if node.kernel and below else None
        for segment in {str(address.network) for address in below.addresses} if below and link and link.mac else ():
            assert link is not None
            first = owners.setdefault((link.mac, segment), node.name)
            if first != node.name:
                cause = (
                    f"{link.name} of {node.name} has the MAC {link.mac}, as {first} has on the same segment {segment}"
                )
                fix = f"give {node.name} a MAC of its own; copied machines share one: ip link set {link.name} address"
                yield Finding("mac-duplicate", node.name, cause, fix, first)
                break
