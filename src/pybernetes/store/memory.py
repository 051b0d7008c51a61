"""The view from which both engines answer reads and watches: current state, recent history, watches.

An engine calls `load` once and then `apply` for each durable change, in order of revision, in the event loop's thread.
The view does no I/O.
"""

from __future__ import annotations

from pybernetes.store.errors import FutureRevision, StoreError
from pybernetes.store.history import History
from pybernetes.store.keyspace import Keyspace
from pybernetes.store.types import Event, KeyValue, Page
from pybernetes.store.watching import Hub, HubWatch

DEFAULT_WINDOW = 10_000
DEFAULT_BUFFER = 10_000


class MemoryView:
    """`window`: how many events to remember. `buffer`: by how many a watch may fall behind."""

    def __init__(self, *, window: int = DEFAULT_WINDOW, buffer: int = DEFAULT_BUFFER) -> None:
        self._keyspace = Keyspace()
        self._window = window
        self._history = History(window)
        self._hub = Hub()
        self._buffer = buffer
        self._closed: StoreError | None = None

    @property
    def revision(self) -> int:
        return self._hub.revision

    @property
    def compacted(self) -> int:
        return self._history.floor

    def load(self, versions: list[KeyValue], revision: int, *, floor: int, events: list[Event]) -> None:
        """Set the state, with the events after `floor` as history."""
        self._keyspace.load(versions)
        self._history = History(self._window)
        self._history.compact(floor)
        self._history.extend(events)
        self._hub.revision = revision

    def apply(self, events: list[Event], revision: int) -> None:
        """Apply committed changes up to `revision`, and pass them to the watches."""
        for event in events:
            if event.kind == "put":
                self._keyspace.set(event.kv)
            else:
                self._keyspace.discard(event.kv.key)
        self._history.extend(events)
        self._hub.publish(events, revision)

    def get(self, key: str) -> KeyValue | None:
        return self._keyspace.items.get(key)

    def written(self, key: str, revision: int) -> KeyValue | None:
        """The version that the write with this revision made, or its deletion; None if it is older than the history."""
        if revision <= self._history.floor:
            return None
        for event in self._history.after(revision - 1):
            if event.kv.revision > revision:
                break
            if event.kv.key == key:
                return event.kv
        return None

    def count(self, prefix: str) -> int:
        return self._keyspace.count(prefix)

    def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        if revision > self.revision:
            raise FutureRevision(revision, self.revision)
        keys = self._keyspace.keys(prefix, start)
        undo = self._history.undo(revision, prefix) if 0 < revision != self.revision else {}
        past = {key: kv for key, kv in undo.items() if kv and key > start}
        if undo:
            keys = sorted([key for key in keys if key not in undo] + list(past))
        wanted = keys[:limit] if limit else keys
        items = self._keyspace.items
        found = [past.get(key) or items[key] for key in wanted] if past else [items[key] for key in wanted]
        return Page(found, revision or self.revision, len(keys) - len(wanted))

    def watch(self, prefix: str, *, from_revision: int = 0) -> HubWatch:
        if self._closed:
            raise self._closed
        if not from_revision:
            return self._hub.add(prefix, self.revision, [], self._buffer)
        missed = [event for event in self._history.after(from_revision) if event.kv.key.startswith(prefix)]
        return self._hub.add(prefix, from_revision, missed, self._buffer)

    def compact(self, revision: int) -> None:
        self._history.compact(revision)

    def fail_watches(self, error: StoreError) -> None:
        self._hub.fail_all(error)

    def close(self, error: StoreError) -> None:
        """End open watches with the error and refuse new ones. Reads still work."""
        self._closed = error
        self._hub.fail_all(error)
