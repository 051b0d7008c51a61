"""The base of loops over objects that own others: a Deployment its ReplicaSets, a ReplicaSet its pods.

An owner looks after the objects whose controller reference names it. It adopts matching objects that have no
controller, and releases its own that no longer match its selector. A subclass names the two types, decides what an
owner selects, and reconciles; see docs/extending/controller.md.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, TypeVar, cast

import msgspec
from msgspec.structs import replace

from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Object
from pybernetes.client.errors import Conflict, NotFound
from pybernetes.client.informer import Cache, key_of
from pybernetes.client.resource import Resource
from pybernetes.controllers.base import Controller
from pybernetes.controllers.ownership import claim, controller_of, index_by_controller, resolve, settle_claim
from pybernetes.controllers.types import Context

R = TypeVar("R", bound=Object)
D = TypeVar("D", bound=Object)


class OwnerController(Controller, Generic[R, D]):
    """Keys are those of the owners."""

    owner_type: ClassVar[type[Object]]
    dependent_type: ClassVar[type[Object]]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        owner, dependent = cast("type[R]", self.owner_type), cast("type[D]", self.dependent_type)
        self._owner_kind = kind_of(owner).name
        self.api: Resource[R] = context.client.of(owner)
        self.owners: Cache[R] = self.observe(owner, self.owner_changed)
        self.dependents: Cache[D] = self.observe(dependent, self._dependent_changed)
        index_by_controller(self.owners)
        index_by_controller(self.dependents)

    @abstractmethod
    def selects(self, owner: R, labels: Mapping[str, str]) -> bool:
        """Whether the owner's selector selects these labels."""

    def owner_changed(self, old: R | None, new: R | None) -> None:
        """An owner changed: reconcile it."""
        self.queue.add(key_of(cast("Object", new or old)))

    def dependent_changed(self, owner: R, old: D | None, new: D | None) -> None:
        """A dependent of this owner changed: reconcile the owner."""
        self.queue.add(key_of(owner))

    def owner_of(self, dependent: D) -> R | None:
        """The owner that controls a dependent, if it is in the cache."""
        return resolve(controller_of(dependent), self._owner_kind, dependent.metadata.namespace, self.owners)

    def _dependent_changed(self, old: D | None, new: D | None) -> None:
        before, owner = (self.owner_of(one) if one is not None else None for one in (old, new))
        if before is not None and (new is None or before is not owner):
            self.dependent_changed(before, old, None)
        if owner is not None:
            self.dependent_changed(owner, old, new)
        elif new is not None and controller_of(new) is None:
            for candidate in self.owners.by_index("namespace", new.metadata.namespace):
                if self.selects(candidate, new.metadata.labels):
                    self.queue.add(key_of(candidate))

    async def claimed(self, owner: R) -> list[D]:
        """The owner's dependents, after adopting and releasing what has to be."""
        found = claim(owner, self.dependents, lambda one: self.selects(owner, one.metadata.labels))
        dependent = cast("type[D]", self.dependent_type)
        return await settle_claim(self.context.client, dependent, owner, found, lambda: self._is_alive(owner))

    async def _is_alive(self, owner: R) -> bool:
        """Ask the server: an owner that is being deleted must not adopt, and the cache may not know yet."""
        fresh = await self._read(owner)
        return fresh is not None and not fresh.metadata.deletion_timestamp

    async def _read(self, owner: R) -> R | None:
        meta = owner.metadata
        try:
            fresh = await self.api.get(meta.name, namespace=meta.namespace)
        except NotFound:
            return None
        return fresh if fresh.metadata.uid == meta.uid else None

    async def write_status(self, owner: R, status: msgspec.Struct) -> None:
        """Write the status if it has changed. After a conflict it is written once more, on the latest version: it was
        worked out from the dependents, so it is still right."""
        changed = _with_status(owner, status)
        if changed == owner:
            return
        try:
            await self.api.update_status(changed)
        except NotFound:
            return
        except Conflict:
            fresh = await self._read(owner)
            if fresh is not None:
                await self.api.update_status(_with_status(fresh, status))


def _with_status(owner: R, status: msgspec.Struct) -> R:
    changes: dict[str, Any] = {"status": status}
    return replace(owner, **changes)
