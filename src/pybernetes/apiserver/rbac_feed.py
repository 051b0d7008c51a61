"""Keeps the RBAC authorizer in step with the stored roles and bindings, whoever writes them."""

import asyncio
from collections.abc import Iterable
from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.api.kinds import kind_of
from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.api.rbac.cluster_role_binding import ClusterRoleBinding
from pybernetes.api.rbac.role import Role
from pybernetes.api.rbac.role_binding import RoleBinding
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.store import errors as store_errors
from pybernetes.store.types import Event, Store

KINDS: tuple[Kind[Any], ...] = (
    kind_of(ClusterRole),
    kind_of(Role),
    kind_of(ClusterRoleBinding),
    kind_of(RoleBinding),
)


class RbacFeed:
    """Feeds an `Rbac` from a store."""

    def __init__(self, store: Store, rbac: Rbac) -> None:
        self._store = store
        self._rbac = rbac
        self._known: dict[str, Any] = {}

    def load(self) -> int:
        """Take in the present state; returns its revision."""
        present: dict[str, Any] = {}
        for kind in KINDS:
            for kv in self._store.range(kind.key_prefix).items:
                present[kv.key] = kind.schema.load(kv.value)
        for key in self._known.keys() - present.keys():
            self._rbac.remove(self._known[key])
        for obj in present.values():
            self._rbac.put(obj)
        self._known = present
        return self._store.revision

    def objects(self) -> Iterable[Any]:
        """All roles and bindings as last seen."""
        return self._known.values()

    async def run(self) -> None:
        """Follow the store until cancelled."""
        async with asyncio.TaskGroup() as group:
            for kind in KINDS:
                group.create_task(self._follow(kind), name=f"rbac: {kind.plural}")

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
            self._known.pop(event.kv.key, None)
            self._rbac.remove(obj)
        else:
            self._known[event.kv.key] = obj
            self._rbac.put(obj)
