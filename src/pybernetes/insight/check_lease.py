"""Faults of a node's agent, lease, interface and addresses. Pure."""

from collections.abc import Iterator
from ipaddress import ip_interface

from pybernetes.flannel.backends.udp.ends import UdpEnd
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.insight import expected
from pybernetes.insight.facts import ClusterFacts, KernelFacts, Network, NodeFacts
from pybernetes.insight.findings import Finding, Severity


def check_ranges(cluster: ClusterFacts) -> Iterator[Finding]:
    """The pod network and the range of cluster IPs must not share addresses."""
    for family in cluster.config.families:
        for services in cluster.services:
            if _overlap(family.network, services):
                cause = f"the pod network {family.network} overlaps the service range {services}"
                fix = "recreate the cluster with another Network in net-conf.json or another --service-cluster-ip-range"
                yield Finding("address-overlap", "", cause, fix)


def check_place(cluster: ClusterFacts, node: NodeFacts) -> Iterator[Finding]:
    """One node."""
    if not node.agent:
        cause = f"the agent of {node.name} is not running: nothing on this node is repaired, and no pod is started"
        fix = f"pybernetes up --name {cluster.name}"
        # With the udp backend, the agent itself carries the packets.
        want = expected.desired(cluster, node)
        carries = want is not None and bool(want.of(UdpEnd))
        severity = Severity.FAULT if carries else Severity.WARNING
        yield Finding("agent-stopped", node.name, cause, fix, severity=severity)
    if not node.ready:
        cause = f"{node.name} is not Ready ({node.ready_text})"
        fix = f"kubectl describe node {node.name}; 'pybernetes up --name {cluster.name}' restarts stopped processes"
        yield Finding("not-ready", node.name, cause, fix, severity=Severity.WARNING)
    if node.kernel is None:
        cause = f"the network namespace of {node.name} is missing"
        yield Finding("node-gone", node.name, cause, f"pybernetes up --name {cluster.name}")
        return
    yield from _overlaps(cluster, node, node.kernel)
    for version, on in node.kernel.forwards.items():
        if not on and cluster.config.family(version) is not None:
            name = "net.ipv4.ip_forward" if version == 4 else "net.ipv6.conf.all.forwarding"
            cause = f"{name} is 0 on {node.name}: the kernel drops packets for its pods"
            yield Finding("forwarding-off", node.name, cause, f"sysctl -w {name}=1 on {node.name}")
    if node.lease is None:
        cause = f"{node.name} has no lease: {node.lease_fault or 'its flannel has not announced one yet'}"
        fix = f"'pybernetes logs --name {cluster.name} node-{node.name}' shows what its flannel waits for"
        yield Finding("lease-missing", node.name, cause, fix)
        return
    if node.lease.backend != cluster.config.backend:
        cause = f"{node.name} still announces {node.lease.backend}, but net-conf.json has {cluster.config.backend}"
        fix = f"its agent follows once it runs: 'pybernetes logs --name {cluster.name} node-{node.name}'"
        yield Finding("not-switched", node.name, cause, fix)
    yield from _interface(node, node.kernel, node.lease)


def _interface(node: NodeFacts, kernel: KernelFacts, lease: Lease) -> Iterator[Finding]:
    for part in lease.families:
        fault = "" if node.overwritten else _interface_fault(node, kernel, part)
        if fault:
            fix = (
                f"restore the address of {node.name}, or select the interface with --iface; without --iface, flannel "
                "takes the interface of the default route"
            )
            yield Finding("wrong-interface", node.name, fault, fix)
            return
    below = expected.underlay(kernel, lease)
    link = kernel.link(below.link) if below else None
    if link is not None and not link.running:
        what = "is down" if not link.up else "has no carrier: the cable or the other end is down"
        cause = f"{link.name}, the interface to all other nodes, {what}"
        yield Finding("underlay-down", node.name, cause, f"ip link set {link.name} up on {node.name}")


def _interface_fault(node: NodeFacts, kernel: KernelFacts, part: FamilyLease) -> str:
    public = str(part.public_ip)
    inside = [ip for ip in node.internal_ips if (":" in ip) == (":" in public)]
    owner = kernel.owner(public)
    main = next((li for ip in inside if (li := kernel.owner(ip)) is not None), None)
    if owner is None:
        default = expected.default_link(kernel)
        has = f"; the default route uses {default.name}" if default else "; there is no default route"
        return f"{node.name} announces {public}, which none of its interfaces has{has}"
    if main is not None and owner.index != main.index and public not in inside:
        return (
            f"flannel announces {public} of {owner.name}, but the Node's InternalIP is {inside[0]} of {main.name}: "
            "flannel takes the interface of the default route"
        )
    return ""


def _overlaps(cluster: ClusterFacts, node: NodeFacts, kernel: KernelFacts) -> Iterator[Finding]:
    ranges = [("pod network", family.network) for family in cluster.config.families]
    ranges += [("service range", services) for services in cluster.services]
    for a in kernel.addresses:
        interface = ip_interface(a.cidr)
        link = kernel.link(a.index)
        if link is None or link.loopback or interface.is_link_local or _ours(node, kernel, a.index, a.ip):
            continue
        for what, taken in ranges:
            if _overlap(interface.network, taken):
                cause = f"{link.name} of {node.name} has {a.cidr}, which overlaps the {what} {taken}"
                fix = f"give {link.name} another address, or the cluster another {what}"
                yield Finding("address-overlap", node.name, cause, fix)


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _ours(node: NodeFacts, kernel: KernelFacts, index: int, ip: str) -> bool:
    """Whether flannel or a CNI plugin added the address: on tunnels, and gateways of the node's own subnet."""
    link = kernel.link(index)
    if link is not None and (link.name.startswith("flannel") or (link.name, link.kind) == ("cni0", "bridge")):
        return True  # faults there are reported for the device
    if link is None or link.kind not in ("bridge", "veth") or ip in node.internal_ips:
        return False
    return node.lease is None or any(ip == str(part.gateway) for part in node.lease.families)
