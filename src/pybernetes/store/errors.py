"""What can go wrong in a store: one class for each decision a caller makes.

A caller that retries after re-reading catches `Conflict`; one that relists catches `Compacted` or
`WatchOverflow`; one that tells its client "try later" catches `WriteFailed`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pybernetes.store.types import KeyValue


class StoreError(Exception):
    """The root of everything a store raises on purpose."""


class AlreadyExists(StoreError):
    """A write that demanded an absent key found one; `current` is what stands there."""

    def __init__(self, key: str, current: KeyValue | None = None) -> None:
        super().__init__(f"key {key!r} already exists")
        self.key = key
        self.current = current


class NotFound(StoreError):
    """The key to delete is not there."""

    def __init__(self, key: str) -> None:
        super().__init__(f"key {key!r} not found")
        self.key = key


class Conflict(StoreError):
    """The key's revision is not the expected one; `current` is what stands there now, None when nothing does."""

    def __init__(self, key: str, expected: int, current: KeyValue | None) -> None:
        found = f"it is at {current.revision}" if current else "it does not exist"
        super().__init__(f"key {key!r} was expected at revision {expected}, but {found}")
        self.key = key
        self.expected = expected
        self.current = current


class Compacted(StoreError):
    """History from `revision` on is gone; the oldest that can still be asked for is `compacted`. List anew."""

    def __init__(self, revision: int, compacted: int) -> None:
        super().__init__(f"revision {revision} has been compacted; the oldest available is {compacted}")
        self.revision = revision
        self.compacted = compacted


class FutureRevision(StoreError):
    """The revision asked for has not happened yet."""

    def __init__(self, revision: int, current: int) -> None:
        super().__init__(f"revision {revision} is in the future; the store is at {current}")
        self.revision = revision
        self.current = current


class WatchOverflow(StoreError):
    """This watch read too slowly and was cut off, so that it holds nobody else up. List anew and watch again."""

    def __init__(self, prefix: str, limit: int) -> None:
        super().__init__(f"watch of {prefix!r} fell more than {limit} events behind")
        self.prefix = prefix
        self.limit = limit


class StoreClosed(StoreError):
    """The store was closed before or during the call."""

    def __init__(self) -> None:
        super().__init__("the store is closed")


class WriteFailed(StoreError):
    """The write could not be made durable, and memory does not show it. Reads go on; the write may be tried
    again.
    """


class DiskFull(WriteFailed):
    """The write failed because there is no space left. Writes succeed again as soon as there is."""


class Unavailable(WriteFailed):
    """The backing server did not answer, so the write may or may not have happened. Read before trying again."""


class OpenFailed(StoreError):
    """The store could not be opened; the message names the file or server and the fix."""


class StoreLocked(OpenFailed):
    """Another process has the store open."""


class StoreCorrupt(OpenFailed):
    """The file is damaged, or is something else than a store."""
