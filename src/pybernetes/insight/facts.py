"""What was observed: the kernel of each node, its lease, its files. Plain values, no conclusions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from pybernetes.flannel.backends.bgp.control import SessionState
from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.leases.lease import Lease
from pybernetes.linux.addr import Address
from pybernetes.linux.fdb import FdbEntry
from pybernetes.linux.link import Link
from pybernetes.linux.neigh import Neighbour
from pybernetes.linux.route import Route
from pybernetes.linux.wireguard import Device as WireguardDevice

Network = IPv4Network | IPv6Network

NftObjects = tuple[Mapping[str, Any], ...]
"""The objects of one nftables table, in libnftables' JSON form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelFacts:
    """One network namespace at one moment."""

    links: tuple[Link, ...] = ()
    addresses: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()
    """Of the tables main and local."""
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[FdbEntry, ...] = ()
    nft: Mapping[str, NftObjects] = field(default_factory=dict)
    """By family and name, such as `ip kube-proxy`."""
    iptables: Mapping[str, str] = field(default_factory=dict)
    """Output of iptables-save for the tables nat and filter, by name: `ip nat` or `ip nat (legacy)`."""
    forwards: Mapping[int, bool] = field(default_factory=lambda: {4: True, 6: True})
    """Whether packets are forwarded, by family."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The sysctls that matter here, by name. Those that the kernel lacks are absent."""
    udp_ports: frozenset[int] = frozenset()
    """Ports with a listening socket."""
    wireguards: tuple[WireguardDevice, ...] = ()
    """Without their private keys."""

    def link(self, which: str | int) -> Link | None:
        """The link of that name or index."""
        return next((li for li in self.links if which in (li.name, li.index)), None)

    def name(self, index: int) -> str:
        """The name of a link, for people."""
        found = self.link(index)
        return found.name if found else f"link {index}"

    def owner(self, ip: str) -> Link | None:
        """The link that has an address."""
        index = next((a.index for a in self.addresses if a.ip == ip), 0)
        return self.link(index) if index else None


@dataclass(frozen=True, slots=True)
class BirdFacts:
    """A node's BIRD, which the bgp backend runs."""

    socket: str
    """Of its control socket, for birdc."""
    answers: bool
    sessions: tuple[SessionState, ...] = ()

    def session(self, name: str) -> SessionState | None:
        """The session of that name."""
        return next((s for s in self.sessions if s.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeFacts:
    """One node."""

    name: str
    ready: bool = True
    ready_text: str = ""
    """Why it is not Ready, from its condition."""
    internal_ips: tuple[str, ...] = ()
    overwritten: bool = False
    """Whether a user has set the public address by annotation."""
    lease: Lease | None = None
    lease_fault: str = ""
    """What is wrong with the annotations that should make the lease."""
    agent: bool = True
    """Whether the node agent runs. Without it nothing is repaired."""
    kernel: KernelFacts | None = None
    """None: the network namespace is missing."""
    subnet_env: str | None = None
    """The content of subnet.env."""
    rules: Mapping[str, str | None] = field(default_factory=dict)
    """Flannel's nftables tables, or its rules in iptables (`iptables IPv4`), as printed; None if missing."""
    rules_expected: Mapping[str, str] = field(default_factory=dict)
    """The same rules as they should be, also printed by a kernel."""
    bird: BirdFacts | None = None
    """None unless the backend is bgp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFacts:
    """The nodes and the configuration of the pod network."""

    name: str
    config: NetworkConfig
    services: tuple[Network, ...] = ()
    """The ranges of cluster IPs."""
    nodes: tuple[NodeFacts, ...] = ()
    policies: Mapping[str, int] = field(default_factory=dict)
    """Number of NetworkPolicies by namespace."""

    @property
    def leases(self) -> tuple[Lease, ...]:
        """Those of all nodes that have one."""
        return tuple(node.lease for node in self.nodes if node.lease is not None)

    def node(self, name: str) -> NodeFacts | None:
        """A node by name."""
        return next((node for node in self.nodes if node.name == name), None)


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod with an address."""

    name: str
    """`default/web`"""
    ip: str
    node: str
    host_network: bool = False
    phase: str = "Running"
    kernel: KernelFacts | None = None
    """The pod's network namespace, if it was read."""


@dataclass(frozen=True, slots=True)
class ServiceFacts:
    """One port of a Service."""

    name: str
    ip: str
    protocol: str
    port: int
    port_name: str = ""
    endpoints: tuple[tuple[str, int, str], ...] = ()
    """(address, port, source), from the EndpointSlices"""
    unready: int = 0
    """How many endpoints are not ready."""


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """The facts that a trace is computed from."""

    cluster: ClusterFacts
    pods: dict[str, PodFacts] = field(default_factory=dict)
    """By address. Pods on the host's network are absent."""
    services: tuple[ServiceFacts, ...] = ()

    def name_of(self, ip: str) -> str:
        """The owner of an address, for people."""
        if ip in self.pods:
            return f"pod {self.pods[ip].name}"
        node = next((n.name for n in self.cluster.nodes if ip in n.internal_ips), "")
        return f"node {node}" if node else ip
