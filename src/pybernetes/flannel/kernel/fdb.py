"""Permanent forwarding entries of VXLAN devices of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pybernetes.flannel.kernel.desired import Desired, Forwarding
from pybernetes.flannel.kernel.kind import Change, EntryKind, Message, Reading, add, difference, remove
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.linux import fdb
from pybernetes.linux.monitor import Event, FdbEvent


class ForwardingEntries(EntryKind):
    """One remote address for each MAC, so a changed address replaces the old one."""

    type = Forwarding
    ahead = True

    def observe(self, reading: Reading) -> Iterable[Forwarding]:
        names = reading.our_names
        return [
            Forwarding(names[e.index], e.mac, e.dst)
            for e in fdb.entries(reading.nl)
            if e.index in names and e.dst and e.permanent
        ]

    def diff(self, want: Desired, have: Observed, now: float) -> Iterable[Change[Message]]:
        wanted = tuple(f for f in want.forwarding if f.link in have.links)
        missing, extra = difference(wanted, have.forwarding)
        for f in missing:
            entry = fdb.FdbEntry(have.links[f.link].index, f.mac, f.dst)
            yield add(f"{f.mac} is behind {f.dst} on {f.link} ({f.reason})", fdb.request("replace", entry))
        replaced = {(f.link, f.mac) for f in wanted} if extra else set()
        for f in extra:
            if (f.link, f.mac) not in replaced:
                entry = fdb.FdbEntry(have.links[f.link].index, f.mac, f.dst)
                yield remove(f"forwarding of {f.mac} to {f.dst} removed", fdb.request("delete", entry))

    def concerns(self, event: Event, ours: Callable[[int], bool]) -> bool:
        return isinstance(event, FdbEvent) and ours(event.entry.index)
