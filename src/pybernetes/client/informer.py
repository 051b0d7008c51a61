"""A typed, indexed copy of a collection, kept current by list and watch, shared by all components of a process.

Objects in the copy are shared and must never be changed in place. Handlers run in the event loop and only enqueue
keys. When the collection had to be listed again, the handlers are called with the difference.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Set
from typing import Any, Generic, TypeVar, cast

from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Object
from pybernetes.client.client import Client
from pybernetes.client.reflector import Reflector
from pybernetes.client.resource import Resource

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Object)
Handler = Callable[[K | None, K | None], None]
"""(old, new): old is None for an object that appeared, new is None for one that is gone."""
IndexFunction = Callable[[K], Iterable[str]]


def key_of(obj: Object) -> str:
    """`namespace/name`, or `name` for a cluster-scoped object."""
    meta = obj.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def split_key(key: str) -> tuple[str, str]:
    """The inverse of `key_of`: (namespace, name)."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class Cache(Generic[K]):
    """Objects by key, with indexes. Pure: an informer or a test fills it."""

    def __init__(self) -> None:
        self._objects: dict[str, K] = {}
        self._functions: dict[str, IndexFunction[K]] = {}
        self._indexes: dict[str, dict[str, dict[str, K]]] = {}
        self.add_index("namespace", lambda obj: (obj.metadata.namespace,))

    def add_index(self, name: str, function: IndexFunction[K]) -> None:
        """Index all objects, present and future, by the values that `function` returns."""
        if name in self._functions:
            return
        self._functions[name] = function
        self._indexes[name] = defaultdict(dict)
        for key, obj in self._objects.items():
            for value in function(obj):
                self._indexes[name][value][key] = obj

    def get(self, key: str) -> K | None:
        """The object with a key (`namespace/name` or `name`)."""
        return self._objects.get(key)

    def find(self, name: str, namespace: str = "") -> K | None:
        """The object with a name."""
        return self._objects.get(f"{namespace}/{name}" if namespace else name)

    def all(self) -> list[K]:
        """All objects."""
        return list(self._objects.values())

    def by_index(self, index: str, value: str) -> list[K]:
        """The objects for which the index function returned `value`."""
        return list(self._indexes[index].get(value, {}).values())

    def count(self, index: str, value: str) -> int:
        """How many objects `by_index` would return, without building the list."""
        return len(self._indexes[index].get(value, ()))

    def keys(self) -> list[str]:
        """All keys."""
        return list(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects

    def put(self, obj: K) -> K | None:
        """Store an object; returns the previous one."""
        key = key_of(obj)
        old = self._objects.get(key)
        if old is not None:
            self._unindex(key, old)
        self._objects[key] = obj
        for name, function in self._functions.items():
            for value in function(obj):
                self._indexes[name][value][key] = obj
        return old

    def remove(self, key: str) -> K | None:
        """Remove an object; returns it."""
        old = self._objects.pop(key, None)
        if old is not None:
            self._unindex(key, old)
        return old

    def _unindex(self, key: str, old: K) -> None:
        for name, function in self._functions.items():
            index = self._indexes[name]
            for value in function(old):
                bucket = index.get(value)
                if bucket is not None:
                    bucket.pop(key, None)
                    if not bucket:
                        del index[value]


class Informer(Generic[K]):
    """A `Cache` that a `Reflector` keeps current, and handlers that are called with each change."""

    def __init__(self, resource: Resource[K], *, namespace: str = "", field_selector: str = "") -> None:
        self.cache: Cache[K] = Cache()
        self._kind = resource.api.kind
        self._handlers: list[Handler[K]] = []
        self._reflector = Reflector(resource, self, namespace=namespace, field_selector=field_selector)

    def add_handler(self, handler: Handler[K]) -> None:
        """Call `handler` with every change, and now with every object already known."""
        self._handlers.append(handler)
        for obj in self.cache.all():
            handler(None, obj)

    @property
    def has_synced(self) -> bool:
        """Whether the first list is in the cache."""
        return self._reflector.has_synced

    @property
    def revision(self) -> int:
        """The revision that the cache has reached; a controller waits for its own writes by it."""
        return self._reflector.revision

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._reflector.synced()

    async def run(self) -> None:
        """List and watch until cancelled."""
        await self._reflector.run()

    def put(self, obj: K) -> None:
        """An object appeared, changed, or was listed."""
        # No component reads which manager owns which field, and it is half of an object. The server keeps managed
        # fields when an object is sent back without them.
        obj.metadata.managed_fields = []
        key = key_of(obj)
        before = self.cache.get(key)
        if before is not None and before.metadata.uid != obj.metadata.uid:
            # Deleted and created again under the same name while the watch was down: two changes, not one.
            self._remove(key)
        elif before is not None and before.metadata.resource_version == obj.metadata.resource_version:
            return
        self._notify(self.cache.put(obj), obj)

    def retain(self, uids: Set[str]) -> None:
        """The collection was listed: objects that were not in the list are gone."""
        for obj in self.cache.all():
            if obj.metadata.uid not in uids:
                self._remove(key_of(obj))

    def remove(self, obj: K) -> None:
        """An object is gone."""
        self._remove(key_of(obj))

    def _remove(self, key: str) -> None:
        old = self.cache.remove(key)
        if old is not None:
            self._notify(old, None)

    def _notify(self, old: K | None, new: K | None) -> None:
        for handler in tuple(self._handlers):
            try:
                handler(old, new)
            except Exception:
                # An error in one handler must not keep the change from the others that share this informer.
                log.exception("handler of %s %s failed", self._kind, key_of(cast("K", new or old)))


class Informers:
    """The informers of a process, one per kind and selector, started together."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._informers: dict[tuple[type[Object], str, str], Informer[Any]] = {}
        self._group: asyncio.TaskGroup | None = None

    def of(self, struct: type[K], *, namespace: str = "", field_selector: str = "") -> Informer[K]:
        """The shared informer of a kind; it starts with the others, or at once if they are running."""
        key = (struct, namespace, field_selector)
        informer = self._informers.get(key)
        if informer is None:
            informer = Informer(self.client.of(struct), namespace=namespace, field_selector=field_selector)
            self._informers[key] = informer
            if self._group is not None:
                self._start(key, informer)
        return cast("Informer[K]", informer)

    def _start(self, key: tuple[type[Object], str, str], informer: Informer[Any]) -> None:
        assert self._group is not None
        self._group.create_task(informer.run(), name=f"informer {kind_of(key[0]).resource} {key[1]} {key[2]}".rstrip())

    async def run(self) -> None:
        """Run all informers, including those requested later, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                for key, informer in self._informers.items():
                    self._start(key, informer)
                await asyncio.Event().wait()
        finally:
            self._group = None

    async def synced(self) -> None:
        """Wait until every informer has its first list."""
        for informer in list(self._informers.values()):
            await informer.synced()
