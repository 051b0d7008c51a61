"""ConfigMaps and Secrets that pods of this node refer to, each watched alone and only as long as a pod refers to it.

A node must not be able to read every Secret, nor hold them all in memory: so each object has a watch of its own,
counted by the pods that use it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.secret import Secret
from pybernetes.client.client import Client
from pybernetes.client.informer import Informer
from pybernetes.kubelet.environment import decode_secret
from pybernetes.kubelet.podspec import all_containers

Key = tuple[str, str, str]
"""("configmap" or "secret", namespace, name)"""
_FIRST_LIST = 10.0


class ObjectCache:
    """Reads objects from their watches; reads of objects that nobody has registered go to the server."""

    def __init__(self, client: Client, changed: Callable[[str], None]) -> None:
        self._client = client
        self._changed = changed
        self._users: dict[Key, set[str]] = defaultdict(set)
        self._informers: dict[Key, Informer[Any]] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}

    def pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        """Watch what `new` refers to, and let go of what only `old` did."""
        before = set(references(old)) if old is not None else set()
        after = set(references(new)) if new is not None else set()
        for key in after - before:
            assert new is not None
            self._users[key].add(new.metadata.uid)
            if key not in self._informers:
                self._watch(key)
        for key in before - after:
            assert old is not None
            self._users[key].discard(old.metadata.uid)
            if not self._users[key]:
                self._forget(key)

    def _watch(self, key: Key) -> None:
        kind, namespace, name = key
        resource: Any = self._client.of(ConfigMap if kind == "configmap" else Secret)
        informer: Informer[Any] = Informer(resource, namespace=namespace, field_selector=f"metadata.name={name}")
        informer.add_handler(lambda _old, _new: self._notify(key))
        self._informers[key] = informer
        self._tasks[key] = asyncio.get_running_loop().create_task(
            informer.run(), name=f"watch {kind} {namespace}/{name}"
        )

    def _notify(self, key: Key) -> None:
        for uid in list(self._users.get(key, ())):
            self._changed(uid)

    def _forget(self, key: Key) -> None:
        del self._users[key]
        self._informers.pop(key, None)
        task = self._tasks.pop(key, None)
        if task is not None:
            task.cancel()

    async def close(self) -> None:
        """End all watches."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self._tasks.clear()

    async def config_map(self, namespace: str, name: str) -> dict[str, bytes]:
        """A ConfigMap's data; raises NotFound."""
        found = await self._get(("configmap", namespace, name))
        assert isinstance(found, ConfigMap)
        return {**{k: v.encode() for k, v in found.data.items()}, **decode_secret(found.binary_data)}

    async def secret(self, namespace: str, name: str) -> dict[str, bytes]:
        """A Secret's data, decoded; raises NotFound."""
        return decode_secret((await self.secret_object(namespace, name)).data)

    async def secret_object(self, namespace: str, name: str) -> Secret:
        """A whole Secret, for registries' credentials; raises NotFound."""
        found = await self._get(("secret", namespace, name))
        assert isinstance(found, Secret)
        return found

    async def _get(self, key: Key) -> ConfigMap | Secret:
        kind, namespace, name = key
        informer = self._informers.get(key)
        if informer is not None:
            try:
                await asyncio.wait_for(informer.synced(), _FIRST_LIST)
            except TimeoutError:
                informer = None
        if informer is not None:
            found = informer.cache.find(name, namespace)
            if isinstance(found, ConfigMap | Secret):
                return found
        # Not there as far as the watch has seen: the server decides, so that a new object is never missed.
        if kind == "configmap":
            return await self._client.of(ConfigMap).get(name, namespace=namespace)
        return await self._client.of(Secret).get(name, namespace=namespace)


def references(pod: Pod) -> Iterator[Key]:
    """Every ConfigMap and Secret that a pod's environment, volumes and image pulls refer to."""
    namespace = pod.metadata.namespace
    for container in all_containers(pod):
        for env_from in container.env_from:
            if env_from.config_map_ref is not None:
                yield "configmap", namespace, env_from.config_map_ref.name
            if env_from.secret_ref is not None:
                yield "secret", namespace, env_from.secret_ref.name
        for variable in container.env:
            source = variable.value_from
            if source is not None and source.config_map_key_ref is not None:
                yield "configmap", namespace, source.config_map_key_ref.name
            if source is not None and source.secret_key_ref is not None:
                yield "secret", namespace, source.secret_key_ref.name
    for volume in pod.spec.volumes:
        if volume.config_map is not None:
            yield "configmap", namespace, volume.config_map.name
        if volume.secret is not None:
            yield "secret", namespace, volume.secret.secret_name
        for projection in volume.projected.sources if volume.projected is not None else ():
            if projection.config_map is not None:
                yield "configmap", namespace, projection.config_map.name
            if projection.secret is not None:
                yield "secret", namespace, projection.secret.name
    for pull_secret in pod.spec.image_pull_secrets:
        yield "secret", namespace, pull_secret.name
