"""From leases to the desired kernel state: the heart of the pod network, without any I/O."""

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter

from pybernetes.flannel.backends import BACKENDS, Backend, Backends, exclusive, make, make_for_peers
from pybernetes.flannel.config import FamilyConfig, NetworkConfig
from pybernetes.flannel.kernel.desired import Desired, LearnedRoute, PeerRoute, merge
from pybernetes.flannel.leases.lease import FamilyLease, Lease, Node, Underlay
from pybernetes.flannel.leases.lease_conflicts import LeaseConflicts


@dataclass(frozen=True, slots=True)
class Facts:
    """Facts about one lease, independent of other leases."""

    fault: str
    claims: tuple[str, ...]
    """What no other lease may have, in words."""
    regular: bool
    """Its subnets have the same prefix length as ours, so they overlap others only if they are equal."""


class Memo:
    """Caches results about peers, so that a pass over 1,000 leases of which one is new computes only that one.

    A lease that has not changed is the same object; everything else that the results depend on is `settings`.
    """

    def __init__(self) -> None:
        self._settings: tuple[object, ...] = ()
        self._parts: dict[str, tuple[Lease, tuple[Desired, ...]]] = {}
        self._facts: dict[str, tuple[Lease, Facts]] = {}
        self.peers: list[Lease] = []
        """The usable ones of the last pass."""

    def renew(self, *settings: object) -> None:
        """Forget everything if the settings are not those of the last pass."""
        if settings != self._settings:
            self._settings = settings
            self._parts.clear()
            self._facts.clear()

    def facts(self, lease: Lease, find: Callable[[Lease], Facts]) -> Facts:
        """Facts about a lease."""
        known = self._facts.get(lease.node)
        if known is None or known[0] is not lease:
            known = self._facts[lease.node] = (lease, find(lease))
        return known[1]

    def parts(self, lease: Lease, make: Callable[[], tuple[Desired, ...]]) -> tuple[Desired, ...]:
        """The kernel objects by which a peer is reached."""
        known = self._parts.get(lease.node)
        if known is None or known[0] is not lease:
            known = self._parts[lease.node] = (lease, make())
        return known[1]

    def keep(self, nodes: Container[str]) -> None:
        """Forget peers that are not among these."""
        for known in (self._parts, self._facts):
            for node in [node for node in known if node not in nodes]:
                del known[node]


def desired_state(
    config: NetworkConfig,
    node: Node,
    leases: Iterable[Lease],
    *,
    linger: frozenset[str],
    former: Iterable[Lease] = (),
    memo: Memo | None = None,
    backends: Backends = BACKENDS,
) -> Desired:
    """What the kernel should hold.

    A peer is reached by the backend that its lease announces. `linger` names backends whose receiving side stays
    although no lease announces them any more, since packets sent by them may still be in flight. `former`
    are leases of peers that announced another backend a moment ago, and may still send by it. `memo`,
    kept from pass to pass, saves work and changes no result. `backends` is constant for a memo.
    """
    memo = memo or Memo()
    memo.renew(config, node)
    leases = list(leases)
    memo.keep({lease.node for lease in leases})
    peers, problems = usable(config, node.lease, leases, memo, backends)
    memo.peers = peers
    in_use = {config.backend, *linger, *(peer.backend for peer in peers)}
    active: dict[str, Backend] = {kind: _backend(config, kind, backends) for kind in sorted(in_use)}
    own = _as_stored(node.lease, leases)
    parts = [Desired(problems=tuple(problems))]
    for family in config.families:
        parts += [backend.local(family, node.lease, node.underlay) for backend in active.values()]
        parts += [backend.across_peers(family, own, peers, node.underlay) for backend in active.values()]

    def reach(peer: Lease) -> tuple[Desired, ...]:
        backend = active[peer.backend]
        return tuple(backend.peer(family, node.lease, peer, node.underlay) for family in config.families)

    for peer in peers:
        parts += memo.parts(peer, partial(reach, peer))
    now = {peer.node: peer.backend for peer in peers}
    for lease in former:
        if lease.backend in active and now.get(lease.node, lease.backend) != lease.backend:
            parts += [part.without(PeerRoute, LearnedRoute) for part in reach(lease)]
    return merge(parts)


def _as_stored(own: Lease, leases: Iterable[Lease]) -> Lease:
    """Our lease, with data that others added to it, such as that we are a route reflector."""
    stored = next((lease for lease in leases if lease.node == own.node), own)
    parts = [(part, stored.family(part.subnet.version)) for part in own.families]
    return replace(own, families=tuple(replace(p, data={**o.data, **p.data}) if o else p for p, o in parts))


def _backend(config: NetworkConfig, kind: str, backends: Backends) -> Backend:
    """The configured backend has the configured options; another one has its former options, or the defaults."""
    if kind == config.backend:
        return make(kind, config.options, backends)
    return make_for_peers(kind, config.former.get(kind), backends)


def mtu(config: NetworkConfig, underlay: Underlay, backends: Backends = BACKENDS) -> int:
    """The pods' MTU: the smallest that fits through every family's encapsulation."""
    backend = make(config.backend, config.options, backends)
    return backend.mtu or underlay.mtu - max(backend.overhead(family.version) for family in config.families)


def usable(
    config: NetworkConfig,
    own: Lease,
    leases: Iterable[Lease],
    memo: Memo | None = None,
    backends: Backends = BACKENDS,
) -> tuple[list[Lease], list[str]]:
    """The usable leases of peers, and a sentence for each one that is refused."""
    memo = memo or Memo()
    sizes: dict[int, int] = {f.subnet.version: f.subnet.prefixlen for f in own.families}
    find = partial(_facts, config, own, sizes, backends)
    others = sorted((lease for lease in leases if lease.node != own.node), key=attrgetter("node"))
    found = [(lease, memo.facts(lease, find)) for lease in others]
    problems = [f"{lease.node}: {facts.fault}; skipped" for lease, facts in found if facts.fault]
    sound = [(lease, facts) for lease, facts in found if not facts.fault]
    if _are_disjoint([find(own), *(facts for _, facts in sound)]):
        return [lease for lease, _ in sound], problems
    conflicts, peers = LeaseConflicts(partial(exclusive, backends)), []
    conflicts.take(own)
    versions = {family.version for family in config.families}
    # Of two that conflict, the one whose prefix length is the same as ours is more likely to be right.
    for lease, _ in sorted(sound, key=lambda pair: not pair[1].regular):
        if fault := conflicts.fault(lease, versions):
            problems.append(f"{lease.node}: {fault}; skipped")
            continue
        conflicts.take(lease)
        peers.append(lease)
    return peers, problems


def _are_disjoint(found: list[Facts]) -> bool:
    """Whether no two leases can conflict. If false, they may still not conflict."""
    claimed = [claim for facts in found for claim in facts.claims]
    return len(set(claimed)) == len(claimed) and all(facts.regular for facts in found)


def _facts(config: NetworkConfig, own: Lease, sizes: Mapping[int, int], backends: Backends, lease: Lease) -> Facts:
    claims = [str(part.subnet) for part in lease.families]
    claims += [f"{p.subnet.version} {data}" for p in lease.families if (data := exclusive(backends, lease, p))]
    regular = all(part.subnet.prefixlen == sizes.get(part.subnet.version) for part in lease.families)
    fault = "" if lease is own else _fault(config, own, backends, lease)
    return Facts(fault, tuple(claims), regular)


def _fault(config: NetworkConfig, own: Lease, backends: Backends, lease: Lease) -> str:
    if lease.backend not in backends:
        return f"unknown backend type {lease.backend!r}, expected one of {', '.join(sorted(backends))}"
    for part in lease.families:
        family = config.family(part.subnet.version)
        if family is not None:
            fault = _family_fault(family, own, part)
            if fault:
                return fault
    return ""


def _family_fault(family: FamilyConfig, own: Lease, part: FamilyLease) -> str:
    subnet = part.subnet
    if not subnet.subnet_of(family.network):  # type: ignore[arg-type]  # the family is the same
        return f"subnet {subnet} is not inside the network {family.network}"
    mine = own.family(family.version)
    if mine is not None and subnet == mine.subnet:
        return f"subnet {subnet} belongs to {own.node} already"
    if mine is not None and subnet.overlaps(mine.subnet):
        return f"subnet {subnet} overlaps our own {mine.subnet}"
    if mine is not None and part.public_ip == mine.public_ip:
        return f"public address {part.public_ip} is our own"
    return ""
