"""From leases to the desired kernel state: the heart of the pod network, without any I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pybernetes.flannel.backends import BACKENDS, Backend, make
from pybernetes.flannel.config import FamilyConfig, NetworkConfig
from pybernetes.flannel.desired import Desired, merge
from pybernetes.flannel.lease import FamilyLease, Lease, Underlay


@dataclass(frozen=True, slots=True)
class Node:
    """This node: its own lease and its way out."""

    lease: Lease
    underlay: Underlay


def desired_state(config: NetworkConfig, node: Node, leases: Iterable[Lease], *, linger: frozenset[str]) -> Desired:
    """What the kernel should hold.

    A peer is reached by the backend that its lease announces. `linger` names backends whose receiving side stays
    although nobody announces them any more, since the last packets sent their way may still be under way.
    """
    peers, problems = usable(config, node.lease, leases)
    in_use = {config.backend, *linger, *(peer.backend for peer in peers)}
    backends: dict[str, Backend] = {kind: make(kind, _options(config, kind)) for kind in sorted(in_use)}
    parts = [Desired(problems=tuple(problems))]
    for family in config.families:
        parts += [backend.local(family, node.lease, node.underlay) for backend in backends.values()]
        parts += [backends[peer.backend].peer(family, node.lease, peer, node.underlay) for peer in peers]
    return merge(parts)


def _options(config: NetworkConfig, kind: str) -> Mapping[str, object]:
    """The configured backend has the configured options; another one, its defaults."""
    return config.options if kind == config.backend else {}


def mtu(config: NetworkConfig, underlay: Underlay) -> int:
    """The pods' MTU: the smallest that fits through every family's encapsulation."""
    backend = make(config.backend, config.options)
    fixed = getattr(backend, "mtu", 0)
    return int(fixed or underlay.mtu - max(backend.overhead(family.version) for family in config.families))


def usable(config: NetworkConfig, own: Lease, leases: Iterable[Lease]) -> tuple[list[Lease], list[str]]:
    """The peers that can be served, and a sentence for each lease that can't."""
    peers: list[Lease] = []
    problems: list[str] = []
    claimed: dict[object, str] = {f.subnet: own.node for f in own.families}
    for lease in sorted(leases, key=lambda lease: lease.node):
        if lease.node == own.node:
            continue
        fault = _fault(config, own, lease, claimed)
        if fault:
            problems.append(f"{lease.node}: {fault}; skipped")
            continue
        claimed.update({f.subnet: lease.node for f in lease.families})
        peers.append(lease)
    return peers, problems


def _fault(config: NetworkConfig, own: Lease, lease: Lease, claimed: Mapping[object, str]) -> str:
    if lease.backend not in BACKENDS:
        return f"unknown backend type {lease.backend!r}, expected one of {', '.join(sorted(BACKENDS))}"
    for part in lease.families:
        family = config.family(part.subnet.version)
        if family is not None:
            fault = _family_fault(family, own, part, claimed)
            if fault:
                return fault
    return ""


def _family_fault(family: FamilyConfig, own: Lease, part: FamilyLease, claimed: Mapping[object, str]) -> str:
    subnet = part.subnet
    if not subnet.subnet_of(family.network):  # type: ignore[arg-type]  # the family is the same
        return f"subnet {subnet} is not inside the network {family.network}"
    if subnet in claimed:
        return f"subnet {subnet} belongs to {claimed[subnet]} already"
    mine = own.family(family.version)
    if mine is not None and subnet.overlaps(mine.subnet):
        return f"subnet {subnet} overlaps our own {mine.subnet}"
    if mine is not None and part.public_ip == mine.public_ip:
        return f"public address {part.public_ip} is our own"
    return ""
