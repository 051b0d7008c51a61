"""Which subnet a node gets: pure, from the config, what is taken, and what the node had before.

In this order, as in Go flanneld: the lease that already names the node's public address; the subnet that it had before
(from subnet.env), if it is free; any free one. A subnet counts as taken if any lease overlaps it.

Two nodes may still choose at the same moment. A key can be created only once, which decides if both choose the same
key; between two different keys that overlap decides `loses`, which each node asks after it has created its own.
"""

import random
from bisect import bisect_right, insort
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pybernetes.flannel.config import FamilyConfig, IPAddress, IPNetwork, NetworkConfig
from pybernetes.flannel.leases.lease import LeaseError

#: A random one of this many free subnets is chosen, so that nodes which start together seldom choose the same.
CANDIDATES = 100


class PoolFull(LeaseError):
    """No subnet is free. `drop`: leases of this node that it can no longer use, as in `Choice`."""

    def __init__(self, message: str, drop: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.drop = drop


@dataclass(frozen=True, slots=True)
class Taken:
    """An existing key."""

    name: str
    subnets: Mapping[int, IPNetwork]
    public: Mapping[int, IPAddress]
    """Public addresses of its node; empty if the value is malformed, and the subnet is taken all the same."""
    created: int
    """The revision at which it was created: of two that overlap, the earlier one is valid."""
    reserved: bool = False
    """It does not expire: an administrator reserved it for the node with this address."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The decision."""

    subnets: Mapping[int, IPNetwork]
    held: Taken | None = None
    """The lease to reuse; None: create one."""
    previous: bool = False
    """The subnets are those that the node had before."""
    drop: tuple[str, ...] = ()
    """Leases of this node that it can no longer use."""
    notes: tuple[str, ...] = ()
    """Why something was not reused."""


def choose(
    config: NetworkConfig,
    taken: Iterable[Taken],
    public: Mapping[int, IPAddress],
    previous: Mapping[int, IPNetwork],
    rng: random.Random,
) -> Choice:
    """Raises PoolFull."""
    keys = list(taken)
    mine = [key for key in keys if is_mine(key, public)]
    good = [key for key in mine if fits(config, key.subnets) and not earlier_overlap(key, keys)]
    best = min(good, key=lambda key: (not key.reserved, key.subnets != previous, key.created)) if good else None
    drop = tuple(key.name for key in mine if key is not best and not key.reserved)
    unfit = [key.name for key in mine if not fits(config, key.subnets)]
    notes = tuple(f"lease {name} names this node, but does not fit the network config" for name in unfit)
    if best is not None:
        return Choice(best.subnets, held=best, drop=drop, notes=notes)
    # A dropped lease's subnet is free again, but for what overlaps it. A reservation that does not fit stays.
    others = [key for key in keys if key.name not in drop]
    if previous:
        if not fits(config, previous):
            text = " ".join(str(subnet) for subnet in previous.values())
            notes += (f"previously leased subnet ({text}) does not fit the network config, ignoring",)
        elif not any(overlap(previous, key.subnets) for key in others):
            return Choice(previous, previous=True, drop=drop, notes=notes)
    try:
        return Choice(_free_ones(config, others, rng), drop=drop, notes=notes)
    except PoolFull as full:
        raise PoolFull(str(full), drop) from full


def is_mine(key: Taken, public: Mapping[int, IPAddress]) -> bool:
    """Whether a lease names one of our addresses; the families that both know must agree."""
    both = key.public.keys() & public.keys()
    return bool(both) and all(key.public[version] == public[version] for version in both)


def fits(config: NetworkConfig, subnets: Mapping[int, IPNetwork]) -> bool:
    """Whether the subnets are what the config would give out."""
    return subnets.keys() == {family.version for family in config.families} and all(
        _fits(family, subnets[family.version]) for family in config.families
    )


def _fits(family: FamilyConfig, subnet: IPNetwork) -> bool:
    address = int(subnet.network_address)
    return subnet.prefixlen == family.subnet_len and int(family.subnet_min) <= address <= int(family.subnet_max)


def overlap(one: Mapping[int, IPNetwork], other: Mapping[int, IPNetwork]) -> bool:
    """Whether two leases share an address in any family."""
    return any(one[version].overlaps(other[version]) for version in one.keys() & other.keys())


def earlier_overlap(mine: Taken, keys: Iterable[Taken]) -> Taken | None:
    """A lease that was created earlier and overlaps ours."""
    for key in keys:
        if key.name != mine.name and key.created < mine.created and overlap(mine.subnets, key.subnets):
            return key
    return None


def conflicts(keys: Iterable[Taken]) -> dict[str, str]:
    """Leases to ignore because they overlap one that was created earlier, with the name of that one."""
    accepted: dict[int, list[tuple[int, int, str]]] = {}
    lost: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: key.created):
        spans = [
            (version, int(net.network_address), int(net.broadcast_address)) for version, net in key.subnets.items()
        ]
        winners = [winner for version, *span in spans if (winner := _covering(accepted.get(version, []), *span))]
        if winners:
            lost[key.name] = winners[0]
            continue
        for version, first, last in spans:
            insort(accepted.setdefault(version, []), (first, last, key.name))
    return lost


def _covering(accepted: list[tuple[int, int, str]], first: int, last: int) -> str:
    """Name of the span that the span from first to last overlaps, of these sorted disjoint ones; empty: none."""
    place = bisect_right(accepted, (last, _INFINITE, ""))
    if place and accepted[place - 1][1] >= first:
        return accepted[place - 1][2]
    return ""


_INFINITE = 1 << 129


def _free_ones(config: NetworkConfig, keys: Iterable[Taken], rng: random.Random) -> dict[int, IPNetwork]:
    keys = list(keys)
    chosen: dict[int, IPNetwork] = {}
    for family in config.families:
        subnets = [key.subnets[family.version] for key in keys if family.version in key.subnets]
        candidates = [subnet for subnet, _ in zip(free(family, subnets), range(CANDIDATES), strict=False)]
        if not candidates:
            raise PoolFull(
                f"out of subnets: all of {family.subnet_min} to {family.subnet_max} (/{family.subnet_len}) are taken;"
                f" widen the network, or delete leases of nodes that are gone"
            )
        chosen[family.version] = rng.choice(candidates)
    return chosen


def free(family: FamilyConfig, taken: Iterable[IPNetwork]) -> Iterator[IPNetwork]:
    """The free subnets in order. The cost depends on the number of taken ones, not on the size of the network."""
    size = 1 << (family.network.max_prefixlen - family.subnet_len)
    spans = sorted((int(net.network_address), int(net.broadcast_address)) for net in taken)
    kind = type(family.network)
    place, at = int(family.subnet_min), 0
    while place <= int(family.subnet_max):
        while at < len(spans) and spans[at][1] < place:
            at += 1
        if at == len(spans) or spans[at][0] >= place + size:
            yield kind((place, family.subnet_len))
            place += size
        else:
            place = (spans[at][1] // size + 1) * size
