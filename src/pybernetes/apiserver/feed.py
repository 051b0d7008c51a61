"""Keeps data in memory in step with the stored objects of some kinds.

The RBAC authorizer follows roles and bindings, the Node authorizer follows pods.
"""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

from pybernetes.api.kind import Kind
from pybernetes.store import errors as store_errors
from pybernetes.store.types import Event, Store


class Sink(Protocol):
    """What follows the stored objects. It may keep them, but must not change them."""

    def reset(self, objects: Iterable[Any]) -> None:
        """Forget everything, and take in these objects."""

    def put(self, obj: Any) -> None:
        """An object was created or changed."""

    def remove(self, obj: Any) -> None:
        """An object was deleted; this is its last state."""


def stored(store: Store, kinds: Iterable[Kind[Any]]) -> list[Any]:
    """All objects of some kinds, as stored."""
    return [kind.schema.load(kv.value) for kind in kinds for kv in store.range(kind.key_prefix).items]


class Feed:
    """Passes stored objects and their changes to one sink."""

    def __init__(self, store: Store, kinds: tuple[Kind[Any], ...], sink: Sink) -> None:
        self._store = store
        self._kinds = kinds
        self._sink = sink

    def load(self) -> int:
        """Pass the present state to the sink. Returns its revision."""
        self._sink.reset(stored(self._store, self._kinds))
        return self._store.revision

    async def run(self) -> None:
        """Load, then follow the store until it closes or the task is cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in self._kinds:
                group.create_task(self._follow(kind), name=f"feed: {kind.plural}")

    async def _follow(self, kind: Kind[Any]) -> None:
        while True:
            since = self.load()
            try:
                async with self._store.watch(kind.key_prefix, from_revision=since) as watch:
                    async for batch in watch:
                        for event in batch:
                            self._apply(kind, event)
            except (store_errors.Compacted, store_errors.WatchOverflow):
                continue
            except store_errors.StoreClosed:
                return

    def _apply(self, kind: Kind[Any], event: Event) -> None:
        obj = kind.schema.load(event.kv.value)
        if event.kind == "delete":
            self._sink.remove(obj)
        else:
            self._sink.put(obj)
