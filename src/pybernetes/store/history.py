"""The recent history: a window of events, from which watches resume and snapshots are read.

A snapshot is the current state with the later events undone; the next page of a list that began a minute
ago costs a pass over the events of that minute, and no copy of the state.
"""

from __future__ import annotations

from bisect import bisect_right

from pybernetes.store.errors import Compacted
from pybernetes.store.types import Event, KeyValue


def _revision(event: Event) -> int:
    return event.kv.revision


class History:
    """The latest `limit` events or a few more: old ones are dropped a quarter at a time, to amortise the cost."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Invariant: sorted by revision, and every event after `floor` is here.
        self._events: list[Event] = []
        self.floor = 0

    def __len__(self) -> int:
        return len(self._events)

    def extend(self, events: list[Event]) -> None:
        self._events += events
        if len(self._events) > self._limit + self._limit // 4:
            # Events of one revision (an etcd transaction) leave together: a resumed watch must not see half.
            self.compact(self._events[-self._limit - 1].kv.revision)

    def compact(self, revision: int) -> None:
        """Drop the events up to and including this revision."""
        if revision > self.floor:
            self.floor = revision
            del self._events[: bisect_right(self._events, revision, key=_revision)]

    def after(self, revision: int) -> list[Event]:
        """All events with a higher revision. Raises Compacted if some of them are gone."""
        if revision < self.floor:
            raise Compacted(revision, self.floor)
        return self._events[bisect_right(self._events, revision, key=_revision) :]

    def undo(self, revision: int, prefix: str) -> dict[str, KeyValue | None]:
        """The keys under the prefix that changed after a revision, with their versions at it (None: absent)."""
        before: dict[str, KeyValue | None] = {}
        for event in self.after(revision):
            key = event.kv.key
            if key not in before and key.startswith(prefix):
                before[key] = event.prev
        return before
