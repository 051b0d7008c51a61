"""Addresses on links of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pybernetes.flannel.kernel.desired import Desired, LinkAddress
from pybernetes.flannel.kernel.kind import Change, EntryKind, Message, Reading, add, difference, remove
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import addr
from pybernetes.linux.monitor import AddressEvent, Event

_LINK_LOCAL = addr.SCOPES["link"]


class Addresses(EntryKind):
    """All addresses of our links but the link-local ones, which the kernel gives by itself."""

    type = LinkAddress

    def observe(self, reading: Reading) -> Iterable[LinkAddress]:
        names = reading.our_names
        return [
            LinkAddress(names[a.index], a.cidr)
            for a in addr.addresses(reading.nl)
            if a.index in names and a.scope != _LINK_LOCAL
        ]

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[Message]]:
        wanted = tuple(a for a in want.addresses if a.link in have.links)
        missing, extra = difference(wanted, have.addresses)
        for a in missing:
            text = f"address {a.cidr} on {a.link} added ({a.reason})"
            yield add(text, addr.add_msg(have.links[a.link].index, a.cidr, replace=True))
        for a in extra:
            yield remove(f"address {a.cidr} on {a.link} removed", addr.delete_msg(have.links[a.link].index, a.cidr))

    def concerns(self, event: Event, ours: Callable[[int], bool]) -> bool:
        return isinstance(event, AddressEvent) and ours(event.address.index)
