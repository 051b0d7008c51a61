"""The graph of all owners and dependents of a cluster, and what follows from it. Pure: no I/O, no time.

An object is identified by its uid, which is never used twice. An owner that is not in the graph may be absent, or only
not seen yet: the controller asks the server before it deletes anything because of it.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from pybernetes.api.meta import ObjectMeta, OwnerReference
from pybernetes.client.api_resource import ApiResource

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"


class Item(msgspec.Struct, gc=False, eq=False):
    """One object of the graph. There is one for every object of the cluster, so it keeps as little as possible."""

    resource: ApiResource
    namespace: str
    name: str
    uid: str
    owners: Sequence[OwnerReference]
    deleting: bool
    finalizers: Sequence[str]

    @property
    def waits_for_dependents(self) -> bool:
        """Deleted in the foreground: it is removed when its blocking dependents are gone."""
        return self.deleting and FOREGROUND in self.finalizers

    @property
    def orphans_dependents(self) -> bool:
        """Deleted without its dependents: they must lose their reference to it first."""
        return self.deleting and ORPHAN in self.finalizers

    def blocks(self, owner: str) -> bool:
        """Whether this dependent blocks the deletion of the owner with this uid."""
        return any(ref.uid == owner and ref.block_owner_deletion for ref in self.owners)

    def shows(self, meta: ObjectMeta) -> bool:
        """Whether the graph would learn nothing from this metadata, as from most changes in a cluster."""
        return (
            self.deleting == bool(meta.deletion_timestamp)
            and list(self.owners) == meta.owner_references
            and list(self.finalizers) == meta.finalizers
        )


def item_of(resource: ApiResource, meta: ObjectMeta) -> Item:
    """The part of an object that the graph keeps."""
    return Item(
        resource,
        sys.intern(meta.namespace),
        meta.name,
        meta.uid,
        tuple(meta.owner_references),
        bool(meta.deletion_timestamp),
        tuple(map(sys.intern, meta.finalizers)),
    )


@dataclass(frozen=True, slots=True)
class Work:
    """An object to process: decide whether to delete it, or orphan its dependents."""

    action: Literal["delete", "orphan"]
    uid: str


Judgement = Literal["solid", "absent", "waiting"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an object, given the states of its owners, and why."""

    action: Literal["keep", "drop references", "delete", "delete foreground"]
    drop: list[OwnerReference] = field(default_factory=list)
    reason: str = ""


class Graph:
    """Objects by uid, and the dependents of every owner that a reference names, whether it exists or not."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self._dependents: dict[str, dict[str, None]] = defaultdict(dict)

    def dependents(self, uid: str) -> list[Item]:
        """The objects that refer to this owner."""
        return [self.items[key] for key in self._dependents.get(uid, ()) if key in self.items]

    def blocking(self, uid: str) -> list[Item]:
        """The dependents that block the deletion of this owner."""
        return [item for item in self.dependents(uid) if item.blocks(uid)]

    def put(self, item: Item) -> list[Work]:
        """An object appeared or changed; returns what has to be processed because of that."""
        old = self.items.get(item.uid)
        self.items[item.uid] = item
        self._share_owners(item)
        before = {ref.uid for ref in old.owners} if old else set()
        after = {ref.uid for ref in item.owners}
        for uid in after - before:
            self._dependents[uid][item.uid] = None
        for uid in before - after:
            self._unlink(uid, item.uid)
        work = self._waiting_owners(old.owners if old else (), item)
        if item.orphans_dependents:
            work.append(Work("orphan", item.uid))
        if item.waits_for_dependents:
            work.append(Work("delete", item.uid))
            work += [Work("delete", dependent.uid) for dependent in self.dependents(item.uid)]
        if (old is None or after != before) and any(self._is_doubtful(item, ref) for ref in item.owners):
            work.append(Work("delete", item.uid))
        return work

    def of_resource(self, resource: ApiResource) -> list[Item]:
        """All objects of one resource."""
        return [item for item in self.items.values() if item.resource == resource]

    def forget(self, resource: ApiResource) -> None:
        """Drop all objects of a resource that is no longer followed. Nothing follows from it: what is unknown may
        still exist."""
        for item in self.of_resource(resource):
            del self.items[item.uid]
            for ref in item.owners:
                self._unlink(ref.uid, item.uid)

    def _share_owners(self, item: Item) -> None:
        """Thousands of pods have the same owner: let them share one copy of the reference."""
        for ref in item.owners:
            for uid in self._dependents.get(ref.uid, ()):
                sibling = self.items.get(uid)
                if sibling is not None and sibling.owners == item.owners:
                    item.owners = sibling.owners
                    return
                break

    def _is_doubtful(self, item: Item, ref: OwnerReference) -> bool:
        owner = self.owner(item, ref)
        return owner is None or owner.waits_for_dependents

    def owner(self, item: Item, ref: OwnerReference) -> Item | None:
        """The object that a reference names, if it is in the graph: with this kind and name, in the same namespace
        or cluster-scoped."""
        owner = self.items.get(ref.uid)
        if owner is None or (owner.resource.kind, owner.name) != (ref.kind, ref.name):
            return None
        return owner if owner.namespace in ("", item.namespace) else None

    def remove(self, uid: str) -> list[Work]:
        """An object is gone; returns what has to be processed because of that."""
        item = self.items.pop(uid, None)
        work = [Work("delete", dependent.uid) for dependent in self.dependents(uid)]
        for ref in item.owners if item else ():
            self._unlink(ref.uid, uid)
            owner = self.items.get(ref.uid)
            if owner is not None and owner.waits_for_dependents:
                work.append(Work("delete", owner.uid))
        return work

    def _waiting_owners(self, before: Iterable[OwnerReference], item: Item) -> list[Work]:
        """Owners that wait for their dependents and that this one no longer blocks."""
        freed = [ref.uid for ref in before if ref.block_owner_deletion and not item.blocks(ref.uid)]
        return [Work("delete", uid) for uid in freed if uid in self.items and self.items[uid].waits_for_dependents]

    def _unlink(self, owner: str, uid: str) -> None:
        found = self._dependents.get(owner)
        if found is not None:
            found.pop(uid, None)
            if not found:
                del self._dependents[owner]

    def judge(self, item: Item, owners: dict[str, Judgement]) -> Verdict:
        """What to do with an object whose owners (by uid) are in these states."""
        if not item.owners:
            return Verdict("keep")
        absent = [ref for ref in item.owners if owners[ref.uid] == "absent"]
        waiting = [ref for ref in item.owners if owners[ref.uid] == "waiting"]
        if len(absent) + len(waiting) < len(item.owners):
            if not absent and not waiting:
                return Verdict("keep")
            return Verdict("drop references", [*absent, *waiting], "it has another owner")
        names = ", ".join(f"{ref.kind} {ref.name}" for ref in item.owners)
        if waiting and self.dependents(item.uid):
            return Verdict("delete foreground", reason=f"its owner {names} is being deleted in the foreground")
        return Verdict("delete", reason=f"its owner {names} is {'being deleted' if waiting else 'gone'}")

    def in_cycle(self, item: Item) -> bool:
        """Whether one of its dependents waits for its own dependents as well: they could wait for each other."""
        return any(dependent.waits_for_dependents for dependent in self.dependents(item.uid))
