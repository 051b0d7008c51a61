"""Permanent neighbour entries on links of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pybernetes.flannel.kernel.desired import Desired, Neighbour
from pybernetes.flannel.kernel.kind import Change, EntryKind, Message, Reading, add, difference, remove
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import neigh
from pybernetes.linux.monitor import Event, NeighbourEvent


class Neighbours(EntryKind):
    """The kernel has one entry for an address on a link, so a changed MAC replaces the old one."""

    type = Neighbour
    ahead = True

    def observe(self, reading: Reading) -> Iterable[Neighbour]:
        names = reading.our_names
        return [
            Neighbour(names[n.index], n.ip, n.mac)
            for n in neigh.neighbours(reading.nl, permanent=True)
            if n.index in names
        ]

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[Message]]:
        wanted = tuple(n for n in want.neighbours if n.link in have.links)
        missing, extra = difference(wanted, have.neighbours)
        for n in missing:
            entry = neigh.Neighbour(have.links[n.link].index, n.ip, n.mac)
            yield add(f"neighbour {n.ip} is {n.mac} on {n.link} ({n.reason})", neigh.request("replace", entry))
        replaced = {(n.link, n.ip) for n in wanted} if extra else set()
        for n in extra:
            if (n.link, n.ip) not in replaced:
                old = neigh.Neighbour(have.links[n.link].index, n.ip, n.mac)
                yield remove(f"neighbour {n.ip} on {n.link} removed", neigh.request("delete", old))

    def concerns(self, event: Event, ours: Callable[[int], bool]) -> bool:
        return isinstance(event, NeighbourEvent) and ours(event.neighbour.index)
