"""Watches the API objects that pods of this node refer to, one watch per object.

A node may not read all Secrets, and must not hold them all in memory. So each object has its own watch, which ends
with the last pod that refers to the object.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from typing import Any, cast

from pybernetes.client.client import Client
from pybernetes.client.informer import Informer
from pybernetes.kubelet.api_objects import K, ObjectKey

_FIRST_LIST = 10.0


class ObjectCache:
    """Reads watched objects from memory, and others from the API server.

    Calls `changed` with the uid of each pod that refers to a changed object.
    """

    def __init__(self, client: Client, changed: Callable[[str], None]) -> None:
        self._client = client
        self._changed = changed
        self._keys: dict[str, frozenset[ObjectKey]] = {}
        self._users: dict[ObjectKey, set[str]] = defaultdict(set)
        self._informers: dict[ObjectKey, Informer[Any]] = {}
        self._tasks: dict[ObjectKey, asyncio.Task[None]] = {}

    def track(self, uid: str, keys: frozenset[ObjectKey]) -> None:
        """Set the objects that a pod refers to. Starts and ends watches accordingly."""
        before = self._keys.get(uid, frozenset())
        if keys == before:
            return
        if keys:
            self._keys[uid] = keys
        else:
            del self._keys[uid]
        for key in keys - before:
            self._users[key].add(uid)
            if key not in self._informers:
                self._watch(key)
        for key in before - keys:
            self._users[key].discard(uid)
            if not self._users[key]:
                self._forget(key)

    def _watch(self, key: ObjectKey) -> None:
        selector = f"metadata.name={key.name}"
        informer: Informer[Any] = Informer(self._client.of(key.type), namespace=key.namespace, field_selector=selector)
        informer.add_handler(lambda _old, _new: self._notify(key))
        self._informers[key] = informer
        self._tasks[key] = asyncio.get_running_loop().create_task(
            informer.run(), name=f"watch {key.type.__name__} {key.namespace}/{key.name}"
        )

    def _notify(self, key: ObjectKey) -> None:
        for uid in list(self._users.get(key, ())):
            self._changed(uid)

    def _forget(self, key: ObjectKey) -> None:
        del self._users[key]
        del self._informers[key]
        self._tasks.pop(key).cancel()

    async def close(self) -> None:
        """End all watches."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def get(self, type_: type[K], namespace: str, name: str) -> K:
        """Read an object; raises NotFound or another ApiError, or Unreachable."""
        informer = self._informers.get(ObjectKey(type_, namespace, name))
        if informer is not None:
            try:
                async with asyncio.timeout(_FIRST_LIST):
                    await informer.synced()
            except TimeoutError:
                pass
            else:
                found = informer.cache.find(name, namespace)
                if found is not None:
                    return cast(K, found)
        # The watch may lag behind: only the API server knows that an object does not exist.
        return await self._client.of(type_).get(name, namespace=namespace)
