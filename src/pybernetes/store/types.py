"""The contract of a revisioned key-value store.

Keys are strings such as `/registry/pods/default/web`, values are bytes, and every write gets the next
revision of the whole store. A store knows no Kubernetes kinds. Reads and watches are answered from memory by
plain calls; writes are awaited until they are durable. When a write returns, memory shows it and its event
has been handed to the watches.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import msgspec

Stamp = Callable[[bytes, int], bytes]
"""Maps a raw value and the revision of its write to the bytes that readers see. Must not raise."""


def unstamped(value: bytes, revision: int) -> bytes:
    """The stamp of a store that was given none: values stay as they were written."""
    return value


class KeyValue(msgspec.Struct, gc=False, eq=False):
    """One version of one key, shared by all readers: never changed, except that a user may fill `cache`.

    Not tracked by the garbage collector (there may be 100,000), so `cache` must not lead back to the
    KeyValue.
    """

    key: str
    value: bytes
    """The value with its revision stamped in."""
    revision: int
    """The revision of the write that made this version."""
    create_revision: int
    """The revision of the write that made the key; a deleted and re-made key starts anew."""
    cache: Any = None
    """For the user of the store: the decoded form of `value`."""


class Event(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One change. One object is shared by all watches that see it."""

    kind: Literal["put", "delete"]
    kv: KeyValue
    """What was written; for a delete the last value, stamped with the revision of the deletion."""
    prev: KeyValue | None = None
    """What stood there before; None for a create."""

    @property
    def is_create(self) -> bool:
        return self.kind == "put" and self.prev is None


class Page(msgspec.Struct, frozen=True, gc=False):
    """A part of a range, in key order."""

    items: list[KeyValue]
    revision: int
    """The revision whose state this is."""
    remaining: int
    """How many keys follow the last one of `items`."""


class Watch(Protocol):
    """A stream of changes under a prefix. Iterating yields lists: everything available at that moment, in
    order.

    Raises WatchOverflow when its reader fell too far behind, Compacted when the engine lost events while it
    was cut off from its server, StoreClosed when the store closes. Ends quietly after its own close().
    """

    def __aiter__(self) -> Self: ...
    async def __anext__(self) -> list[Event]: ...
    def progress(self) -> int:
        """The revision up to which every change under the prefix has been handed out (for bookmarks)."""
        ...

    def close(self) -> None: ...
    async def __aenter__(self) -> Self: ...
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class Store(Protocol):
    """What the API server asks of an engine."""

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

        A limit of 0 is none; revision 0 is the latest, another one the state of that moment. Raises Compacted
        or FutureRevision.
        """
        ...

    def count(self, prefix: str) -> int: ...

    async def read_barrier(self) -> int:
        """Returns once memory shows every write that was acknowledged, by anybody, before the call: the
        revision reached.
        """
        ...

    async def put(self, key: str, value: bytes, *, expect: int | None = None) -> KeyValue:
        """Write. `expect` None: whatever stands there; 0: the key must be absent (AlreadyExists); n: the key
        must be at revision n (Conflict). WriteFailed when it could not be made durable.
        """
        ...

    async def delete(self, key: str, *, expect: int | None = None) -> KeyValue:
        """Delete, and return the last value stamped with the deletion's revision. NotFound, Conflict,
        WriteFailed.
        """
        ...

    def watch(self, prefix: str, *, from_revision: int = 0) -> Watch:
        """Changes with a revision above `from_revision`; 0 means those from now on. Raises Compacted at once
        when they are gone; a revision of the future waits for it.
        """
        ...

    async def compact(self, revision: int) -> None:
        """Forget history before `revision`, on disk too. The current state is untouched."""
        ...

    async def close(self) -> None: ...
