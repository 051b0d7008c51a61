"""The exceptions of a store: one class for each decision that a caller makes.

A caller that reads again and retries catches `Conflict`; one that lists again catches `Compacted` or `WatchOverflow`;
one that asks its client to retry later catches `WriteFailed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pybernetes.store.types import KeyValue


class StoreError(Exception):
    """Base of all exceptions of a store."""


class AlreadyExists(StoreError):
    """A write required that the key is absent, and it exists; `current` is its version."""

    def __init__(self, key: str, current: KeyValue | None = None) -> None:
        super().__init__(f"key {key!r} already exists")
        self.key = key
        self.current = current


class NotFound(StoreError):
    """The key to delete does not exist."""

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} not found")
        self.key = key


class Conflict(StoreError):
    """The key's revision is not the expected one; `current` is its version, None if it does not exist."""

    def __init__(self, key: str, expected: int, current: KeyValue | None) -> None:
        found = f"it is at {current.revision}" if current else "it does not exist"
        super().__init__(f"key {key!r} was expected at revision {expected}, but {found}")
        self.key = key
        self.expected = expected
        self.current = current


class Compacted(StoreError):
    """The history from `revision` on is gone; `compacted` is the oldest revision available. List again."""

    def __init__(self, revision: int, compacted: int) -> None:
        super().__init__(f"revision {revision} has been compacted; the oldest available is {compacted}")
        self.revision = revision
        self.compacted = compacted


class FutureRevision(StoreError):
    """The requested revision does not exist yet."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} is in the future; the store is at {current}")
        self.revision = revision
        self.current = current


class WatchOverflow(StoreError):
    """The reader of this watch was too slow, so the watch was closed. List and watch again."""

    def __init__(self, prefix: str, limit: int) -> None:
        super().__init__(f"watch of {prefix!r} fell more than {limit} events behind")
        self.prefix = prefix
        self.limit = limit


class StoreClosed(StoreError):
    """The store was closed before or during the call."""

    def __init__(self) -> None:
        super().__init__("the store is closed")


class WriteFailed(StoreError):
    """The write could not be made durable, and memory does not have it. Reads still work; the write may be retried."""


class DiskFull(WriteFailed):
    """The write failed because no disk space is left. Writes succeed again once there is space."""


class Unavailable(WriteFailed):
    """The backing server did not answer, so the write may or may not have happened. Read before retrying."""


class OpenFailed(StoreError):
    """The store could not be opened; the message names the file or server and the fix."""


class StoreLocked(OpenFailed):
    """Another process has the store open."""


class StoreCorrupt(OpenFailed):
    """The file is damaged, or is not a store."""
