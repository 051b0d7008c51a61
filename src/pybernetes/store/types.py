"""The contract of a revisioned key-value store.

Keys are strings such as `/registry/pods/default/web`, values are bytes, and every write gets the next
store revision. A store is independent of Kubernetes kinds. Reads and watches are answered from memory by plain
calls; writes are awaited until they are durable. When a write returns, memory contains it and its event has been
passed to the watches.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import msgspec

Stamp = Callable[[bytes, int], bytes]
"""Maps a raw value and the revision of its write to the bytes that readers see. Must not raise."""


def unstamped(value: bytes, revision: int) -> bytes:
    """The default stamp: values stay as they were written."""
    return value


class KeyValue(msgspec.Struct, gc=False, eq=False):
    """One version of one key, shared by all readers. Never changed, except that the user of the store may set `cache`.

    Not tracked by the garbage collector (there may be 100,000), so `cache` must not reference the KeyValue.
    """

    key: str
    value: bytes
    """The value with its revision stamped in."""
    revision: int
    """The revision of the write that made this version."""
    create_revision: int
    """The revision of the write that made the key; a key that is deleted and created again starts again."""
    cache: Any = None
    """For the user of the store: the decoded form of `value`."""


class Event(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One change. One object is shared by all watches that see it."""

    kind: Literal["put", "delete"]
    kv: KeyValue
    """The new version; for a delete the last value, stamped with the revision of the deletion."""
    prev: KeyValue | None = None
    """The previous version; None for a create."""

    @property
    def is_create(self) -> bool:
        return self.kind == "put" and self.prev is None


class Page(msgspec.Struct, frozen=True, gc=False):
    """A part of a range, in key order."""

    items: list[KeyValue]
    revision: int
    """The revision of the state that was read."""
    remaining: int
    """How many keys follow the last one of `items`."""


class Watch(Protocol):
    """A stream of changes under a prefix. Iterating yields lists: everything available at that moment, in
    order.

    Raises WatchOverflow when the reader falls too far behind, Compacted when the engine missed events while it was
    disconnected from its server, StoreClosed when the store closes. Stops iterating after its own close().
    """

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> list[Event]: ...
    def progress(self) -> int:
        """The revision up to which every change under the prefix has been returned (for bookmarks)."""
        ...

    def close(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """What the API server needs from an engine."""

    @property
    def revision(self) -> int:
        """The latest committed revision."""
        ...

    @property
    def compacted(self) -> int:
        """The oldest revision that can be read at or watched from."""
        ...

    def get(self, key: str) -> KeyValue | None: ...

    def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: int = 0) -> Page:
        """The keys under a prefix that follow `start` (exclusive: the last key of the page before).

        Limit 0 means no limit. Revision 0 means the latest state, another one the state at that revision. Raises
        Compacted or FutureRevision.
        """
        ...

    def count(self, prefix: str) -> int: ...

    async def read_barrier(self) -> int:
        """Wait until memory contains every write that any client had acknowledged before the call; returns the
        revision reached.
        """
        ...

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> KeyValue:
        """Write a value. `expect` None: unconditionally; 0: the key must be absent (AlreadyExists); n: the key must be
        at revision n (Conflict). Raises WriteFailed if it could not be made durable.
        """
        ...

    async def delete(self, key: str, *, expect: int | None = None) -> KeyValue:
        """Delete, and return the last value stamped with the deletion's revision. Raises NotFound, Conflict or
        WriteFailed.
        """
        ...

    def watch(self, prefix: str, *, from_revision: int = 0) -> Watch:
        """Changes with a revision above `from_revision`; 0 means changes from now on. Raises Compacted at once if
        some of them are gone; a watch from a future revision waits for it.
        """
        ...

    async def compact(self, revision: int) -> None:
        """Drop the history before `revision`, also on disk. The current state is not affected."""
        ...

    async def close(self) -> None: ...
