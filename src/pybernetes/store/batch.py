"""Decides a batch of writes: comparisons, revisions, events. Pure: no disk, no clock, no event loop.

Writes that wait at the same time are committed together. Each is checked against the committed state plus the earlier
writes of the batch, so two that expect the same revision never both succeed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import msgspec

from pybernetes.store.errors import AlreadyExists, Conflict, NotFound, StoreError
from pybernetes.store.types import Event, KeyValue, Stamp

Row = tuple[int, str, int, int, bytes | None]
"""A line of the log: revision, key, create revision, revision of the previous version (0: none), raw value
(None: a deletion).
"""


class Write(msgspec.Struct, eq=False):
    """A request to write. `value` None deletes."""

    key: str
    value: bytes | None
    expect: int | None
    future: asyncio.Future[KeyValue]


class Change(msgspec.Struct, eq=False):
    """An accepted write."""

    write: Write
    row: Row
    kv: KeyValue | None
    """The new version; None for a deletion until the raw value it deletes has been read."""
    prev: KeyValue | None


class Batch(msgspec.Struct, eq=False):
    """The decisions about some writes."""

    changes: list[Change]
    refused: list[tuple[Write, StoreError]]
    """Refused because of the committed state: final, whether or not the batch is committed."""
    refused_by_batch: list[tuple[Write, StoreError]]
    """Refused because of an earlier write in the batch: final once the batch is committed."""

    @property
    def unread(self) -> list[int]:
        """The revisions whose raw values must be read from the log to stamp deletions."""
        first = self.changes[0].row[0] if self.changes else 0
        return [change.row[3] for change in self.changes if change.kv is None and change.row[3] < first]


def objection(write: Write, current: KeyValue | None) -> StoreError | None:
    """Why a write must be refused while `current` is the version of its key; None if it is accepted."""
    if write.value is None and current is None:
        return NotFound(write.key)
    if write.expect is None or write.expect == (current.revision if current else 0):
        return None
    if write.expect == 0 and write.value is not None:
        return AlreadyExists(write.key, current)
    return Conflict(write.key, write.expect, current)


def decide(writes: list[Write], committed: Callable[[str], KeyValue | None], revision: int, stamp: Stamp) -> Batch:
    """Check the writes in order; accepted ones get the revisions after `revision`, one each."""
    batch = Batch([], [], [])
    pending: dict[str, KeyValue | None] = {}
    for write in writes:
        key = write.key
        in_batch = key in pending
        current = pending[key] if in_batch else committed(key)
        if (error := objection(write, current)) is not None:
            (batch.refused_by_batch if in_batch else batch.refused).append((write, error))
            continue
        revision += 1
        created = current.create_revision if current else revision
        kv = None if write.value is None else KeyValue(key, stamp(write.value, revision), revision, created)
        row = (revision, key, created, current.revision if current else 0, write.value)
        batch.changes.append(Change(write, row, kv, current))
        pending[key] = kv
    return batch


def events_of(batch: Batch, raw: dict[int, bytes], stamp: Stamp) -> list[Event]:
    """The events of a committed batch. `raw` has the values of `unread`; fills in the versions of deletions."""
    values = dict(raw)
    events = []
    for change in batch.changes:
        revision, key, created, before, value = change.row
        if value is not None:
            values[revision] = value
        if change.kv is None:
            change.kv = KeyValue(key, stamp(values[before], revision), revision, created)
        events.append(Event("delete" if value is None else "put", change.kv, change.prev))
    return events
