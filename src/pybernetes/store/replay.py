"""Rebuilds the state in memory from the rows of a log. Pure."""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

from pybernetes.store.batch import Row
from pybernetes.store.errors import StoreCorrupt
from pybernetes.store.types import Event, KeyValue, Stamp


class Replayed(NamedTuple):
    versions: list[KeyValue]
    revision: int
    floor: int
    """The oldest revision that can be watched from: `events` has all later changes."""
    events: list[Event]


def replay(rows: list[Row], *, compacted: int, swept: int, window: int, stamp: Stamp) -> Replayed:
    """Rebuild the state and the latest `window` events. Raises StoreCorrupt if rows are missing."""
    floor = max(compacted, rows[-window - 1][0] if len(rows) > window else 0)
    split = bisect_right(rows, floor, key=lambda row: row[0])
    latest: dict[str, Row] = {}
    for row in rows[:split]:
        _follow(latest, row, swept)
    versions = {
        key: KeyValue(key, stamp(value, revision), revision, created)
        for revision, key, created, _, value in latest.values()
        if value is not None
    }
    events = []
    for row in rows[split:]:
        event = _event(row, latest.get(row[1]), versions.pop(row[1], None), stamp)
        _follow(latest, row, swept)
        events.append(event)
        if event.kind == "put":
            versions[row[1]] = event.kv
    return Replayed(list(versions.values()), max(compacted, rows[-1][0] if rows else 0), floor, events)


def _follow(latest: dict[str, Row], row: Row, swept: int) -> None:
    """Apply one row, after checking that it supersedes the known version."""
    revision, key, _, before, value = row
    known = latest.get(key)
    # Superseded rows are deleted up to `swept`, so a row up to there may refer to a missing one.
    if before != (known[0] if known else 0) and (revision > swept or known):
        raise StoreCorrupt(f"revision {revision} of {key!r} follows {before}, which is missing")
    if value is None:
        latest.pop(key, None)
    else:
        latest[key] = row


def _event(row: Row, known: Row | None, prev: KeyValue | None, stamp: Stamp) -> Event:
    revision, key, created, _, value = row
    if value is not None:
        return Event("put", KeyValue(key, stamp(value, revision), revision, created), prev)
    last = known[4] if known else None
    if last is None:
        raise StoreCorrupt(f"revision {revision} deletes {key!r}, which is missing")
    return Event("delete", KeyValue(key, stamp(last, revision), revision, created), prev)
