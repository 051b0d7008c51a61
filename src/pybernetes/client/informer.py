"""A typed, indexed copy of a collection, kept current by list and watch, shared by everyone in a process.

Objects in the copy are shared and must never be changed in place. Handlers run in the event loop and only enqueue
keys. A lost watch resumes from the last revision; a revision that is no longer kept leads to a new list, of which
the difference is told to the handlers, so that no change is ever missed.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Generic, TypeVar, cast

from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Object
from pybernetes.client.client import Client, Resource, WatchEvent
from pybernetes.client.errors import ApiError, Gone, Unreachable

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Object)
Handler = Callable[[K | None, K | None], None]
"""(old, new): old is None for an object that appeared, new is None for one that went."""
IndexFunction = Callable[[K], Iterable[str]]

_RETRY_FIRST = 0.05
_RETRY_MAX = 5.0
#: A watch that lasted this long, or brought something, is a success; what ends sooner is retried with back-off.
_STEADY = 1.0


def key_of(obj: Object) -> str:
    """`namespace/name`, or `name` for a cluster-scoped object."""
    meta = obj.metadata
    return f"{meta.namespace}/{meta.name}" if meta.namespace else meta.name


def split_key(key: str) -> tuple[str, str]:
    """The inverse of `key_of`: (namespace, name)."""
    namespace, _, name = key.rpartition("/")
    return namespace, name


class Cache(Generic[K]):
    """Objects by key, with indexes. Pure: it is fed by an informer, or by a test."""

    def __init__(self) -> None:
        self._objects: dict[str, K] = {}
        self._functions: dict[str, IndexFunction[K]] = {}
        self._indexes: dict[str, dict[str, dict[str, K]]] = {}
        self.add_index("namespace", lambda obj: (obj.metadata.namespace,))

    def add_index(self, name: str, function: IndexFunction[K]) -> None:
        """Index all objects, present and future, by the values that `function` gives."""
        if name in self._functions:
            return
        self._functions[name] = function
        self._indexes[name] = defaultdict(dict)
        for key, obj in self._objects.items():
            for value in function(obj):
                self._indexes[name][value][key] = obj

    def get(self, key: str) -> K | None:
        """The object of a key (`namespace/name` or `name`)."""
        return self._objects.get(key)

    def find(self, name: str, namespace: str = "") -> K | None:
        """The object of a name."""
        return self._objects.get(f"{namespace}/{name}" if namespace else name)

    def all(self) -> list[K]:
        """Every object."""
        return list(self._objects.values())

    def by_index(self, index: str, value: str) -> list[K]:
        """The objects whose index function gave `value`."""
        return list(self._indexes[index].get(value, {}).values())

    def count(self, index: str, value: str) -> int:
        """How many objects `by_index` would give, without making the list."""
        return len(self._indexes[index].get(value, ()))

    def keys(self) -> list[str]:
        """Every key."""
        return list(self._objects)

    def __len__(self) -> int:
        return len(self._objects)

    def __contains__(self, key: str) -> bool:
        return key in self._objects

    def put(self, obj: K) -> K | None:
        """Store an object; returns what stood there."""
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
        """Forget an object; returns it."""
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
    """Feeds a `Cache` from a server and tells handlers of each change."""

    def __init__(self, resource: Resource[K], *, namespace: str = "", field_selector: str = "") -> None:
        self.cache: Cache[K] = Cache()
        self._resource = resource
        self._namespace = namespace
        self._field_selector = field_selector
        self._handlers: list[Handler[K]] = []
        self._synced = asyncio.Event()
        self._revision = ""
        self._moved = False
        self._trouble = ""

    def add_handler(self, handler: Handler[K]) -> None:
        """Tell `handler` of every change, and now of every object already known."""
        self._handlers.append(handler)
        for obj in self.cache.all():
            handler(None, obj)

    @property
    def has_synced(self) -> bool:
        """Whether the first list is in the cache."""
        return self._synced.is_set()

    @property
    def revision(self) -> int:
        """The revision that the cache has reached; a controller waits for its own writes by it."""
        return int(self._revision) if self._revision.isdigit() else 0

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._synced.wait()

    async def run(self) -> None:
        """List and watch until cancelled."""
        loop = asyncio.get_running_loop()
        delay = _RETRY_FIRST
        while True:
            begun, self._moved = loop.time(), False
            pause = await self._turn()
            if self._moved or loop.time() - begun >= _STEADY:
                delay = _RETRY_FIRST
                if pause is None:
                    continue
            await asyncio.sleep(max(delay, pause or 0.0))
            delay = min(delay * 2, _RETRY_MAX)

    async def _turn(self) -> float | None:
        """List if need be, and watch to the end. After a failure, the least time to wait; None if it ended well."""
        try:
            if not self._revision:
                await self._list()
            await self._watch()
            return None
        except Gone:
            self._revision = ""
            return None
        except ApiError as error:
            if error.has_cause("ResourceVersionTooLarge"):
                # The server's store is another one, or an older copy: what we know is void.
                self._revision = ""
            self._complain(error)
            return error.retry_after
        except Unreachable as error:
            self._complain(error)
            return 0.0

    def _complain(self, error: Exception) -> None:
        """Log a failure once, not at each retry."""
        text = f"{type(error).__name__}: {error}"
        level = logging.DEBUG if text == self._trouble else logging.WARNING
        self._trouble = text
        log.log(level, "watch of %s: %s; retrying", self._resource.kind.resource, text)

    async def _list(self) -> None:
        page = await self._resource.list(namespace=self._namespace, field_selector=self._field_selector)
        seen = set()
        for obj in page.items:
            seen.add(key_of(obj))
            self._put(obj)
        for key in set(self.cache.keys()) - seen:
            self._remove(key)
        self._revision = page.resource_version
        self._trouble = ""
        self._synced.set()

    async def _watch(self) -> None:
        stream = self._resource.watch(
            namespace=self._namespace, field_selector=self._field_selector, resource_version=self._revision
        )
        async with aclosing(stream) as batches:
            async for batch in batches:
                for event in batch:
                    self._apply(event)
                if batch:
                    self._moved, self._trouble = True, ""

    def _apply(self, event: WatchEvent[K]) -> None:
        self._revision = event.resource_version
        if event.object is None:
            return
        if event.type == "DELETED":
            self._remove(key_of(event.object))
        else:
            self._put(event.object)

    def _put(self, obj: K) -> None:
        # Nobody here reads who owns which field, and it is half of an object. Sent back without it, an object keeps
        # it: the server knows better.
        obj.metadata.managed_fields = []
        key = key_of(obj)
        before = self.cache.get(key)
        if before is not None and before.metadata.uid != obj.metadata.uid:
            # Deleted and made again under the same name while the watch was away: two changes, not one.
            self._remove(key)
        old = self.cache.put(obj)
        if old is not None and old.metadata.resource_version == obj.metadata.resource_version:
            return
        self._tell(old, obj)

    def _remove(self, key: str) -> None:
        old = self.cache.remove(key)
        if old is not None:
            self._tell(old, None)

    def _tell(self, old: K | None, new: K | None) -> None:
        for handler in tuple(self._handlers):
            try:
                handler(old, new)
            except Exception:
                # The fault of one handler must not cost the others, who share this informer, their view.
                kind = self._resource.kind.name
                log.exception("handler of %s %s failed", kind, key_of(cast("K", new or old)))


class Informers:
    """The informers of a process, one per kind and selector, started together."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._informers: dict[tuple[type[Object], str, str], Informer[Any]] = {}
        self._group: asyncio.TaskGroup | None = None

    def of(self, struct: type[K], *, namespace: str = "", field_selector: str = "") -> Informer[K]:
        """The shared informer of a kind; it starts with the others, or at once if they run already."""
        key = (struct, namespace, field_selector)
        informer = self._informers.get(key)
        if informer is None:
            informer = Informer(self._client.of(struct), namespace=namespace, field_selector=field_selector)
            self._informers[key] = informer
            if self._group is not None:
                self._start(key, informer)
        return cast("Informer[K]", informer)

    def _start(self, key: tuple[type[Object], str, str], informer: Informer[Any]) -> None:
        assert self._group is not None
        self._group.create_task(informer.run(), name=f"informer {kind_of(key[0]).resource} {key[1]} {key[2]}".rstrip())

    async def run(self) -> None:
        """Run all informers, also those asked for later, until cancelled."""
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
