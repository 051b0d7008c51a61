"""Garbage collector: delete what has lost all its owners, and carry out foreground deletion and orphaning.

The shell of `gc_graph`: informers of all kinds feed the graph, workers look at one object after the other. Nothing
is deleted on the word of a cache alone: an owner that the graph does not know, and the object itself, are read from
the server first, and the deletion is on condition of the uid.
"""

import logging
from collections import OrderedDict
from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.api.kinds import BY_NAME, KINDS
from pybernetes.api.meta import Object, ObjectMeta, OwnerReference
from pybernetes.client.errors import Conflict, NotFound
from pybernetes.client.resource import Propagation
from pybernetes.controllers.base import Controller
from pybernetes.controllers.gc_graph import FOREGROUND, ORPHAN, Graph, Item, Judgement, Work, item_of
from pybernetes.controllers.types import Context

log = logging.getLogger(__name__)

_REMEMBERED = 5000


def collected_kinds() -> list[Kind[Any]]:
    """The kinds in the graph: everything that is stored and can go, but for events, which expire by themselves."""
    needed = {"delete", "list", "watch"}
    return [kind for kind in KINDS if kind.stored and needed <= set(kind.verbs) and kind.name != "Event"]


class GarbageCollector(Controller):
    """Keys are `delete <uid>` and `orphan <uid>`."""

    name = "garbage-collector-controller"
    component = "generic-garbage-collector"
    workers = 20

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._graph = Graph()
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(namespace, uid) of owners known to be gone; uids never come back"""
        for kind in collected_kinds():
            self._follow(kind)

    def _follow(self, kind: Kind[Any]) -> None:
        def changed(old: Object | None, new: Object | None) -> None:
            if new is None:
                assert old is not None
                self._remember(old.metadata.namespace, old.metadata.uid)
                self._enqueue(self._graph.remove(old.metadata.uid))
                return
            if old is not None and old.metadata.uid != new.metadata.uid:
                self._enqueue(self._graph.remove(old.metadata.uid))
            elif old is not None and _same(old.metadata, new.metadata):
                return
            self._enqueue(self._graph.put(item_of(kind, new)))

        self.observe(kind.struct, changed)

    def _enqueue(self, work: list[Work]) -> None:
        for item in work:
            self.queue.add(f"{item.action} {item.uid}")

    def _remember(self, namespace: str, uid: str) -> None:
        self._absent[namespace, uid] = None
        if len(self._absent) > _REMEMBERED:
            self._absent.popitem(last=False)

    async def reconcile(self, key: str) -> None:
        """Look at one object."""
        action, _, uid = key.partition(" ")
        item = self._graph.items.get(uid)
        if item is None:
            return
        if action == "orphan":
            await self._orphan(item)
        elif item.waits_for_dependents:
            await self._wait_for_dependents(item)
        elif not item.deleting:
            await self._collect(item)

    async def _collect(self, item: Item) -> None:
        """Delete the object if nothing holds it any more."""
        if not item.owners:
            return
        live = await self._read(item)
        if live is None or live.deletion_timestamp:
            return
        fresh = Item(item.kind, item.namespace, item.name, item.uid, live.owner_references, False, live.finalizers)
        verdict = self._graph.judge(fresh, {ref.uid: await self._judge(fresh, ref) for ref in fresh.owners})
        if verdict.action == "keep":
            return
        log.debug("garbage collector: %s %s: %s (%s)", item.kind.name, item.name, verdict.action, verdict.reason)
        if verdict.action == "drop references":
            gone = {ref.uid for ref in verdict.drop}
            await self._set_owners(item, live, [ref for ref in live.owner_references if ref.uid not in gone])
        elif verdict.action == "delete foreground":
            if self._graph.in_cycle(item):
                await self._unblock(item, live)
            await self._delete(item, "Foreground")
        else:
            held: dict[str, Propagation] = {ORPHAN: "Orphan", FOREGROUND: "Foreground"}
            policy = next((held[name] for name in (ORPHAN, FOREGROUND) if name in live.finalizers), None)
            await self._delete(item, policy or "Background")

    async def _judge(self, item: Item, ref: OwnerReference) -> Judgement:
        """The state of an owner. Kinds that are not known here are taken to be there: better kept than lost."""
        owner = self._graph.owner(item, ref)
        if owner is not None:
            return "waiting" if owner.waits_for_dependents else "solid"
        kind = BY_NAME.get((ref.api_version, ref.kind)) or self._newest(ref)
        if kind is None or (kind.namespaced and not item.namespace):
            return "solid"
        namespace = item.namespace if kind.namespaced else ""
        if (namespace, ref.uid) in self._absent:
            return "absent"
        try:
            found = await self.context.client.of(kind.struct).get(ref.name, namespace=namespace)
        except NotFound:
            found = None
        if found is not None and found.metadata.uid == ref.uid:
            return "solid"
        if ref.uid in self._graph.items:
            self._tell_invalid(item, ref)
        self._remember(namespace, ref.uid)
        return "absent"

    def _newest(self, ref: OwnerReference) -> Kind[Any] | None:
        """The kind of the same group in the version that we have."""
        group = ref.api_version.rpartition("/")[0]
        return next((kind for kind in KINDS if (kind.group, kind.name) == (group, ref.kind) and kind.stored), None)

    def _tell_invalid(self, item: Item, ref: OwnerReference) -> None:
        text = f"ownerRef [{ref.api_version}/{ref.kind}, namespace: {item.namespace}, name: {ref.name}, uid: {ref.uid}]"
        text += f' does not exist in namespace "{item.namespace}"'
        about = item.kind.struct(
            api_version=item.kind.api_version,
            kind=item.kind.name,
            metadata=ObjectMeta(name=item.name, namespace=item.namespace, uid=item.uid),
        )
        self.context.recorder.event(about, "Warning", "OwnerRefInvalidNamespace", text)

    async def _wait_for_dependents(self, item: Item) -> None:
        """Foreground deletion: let the object go when nothing blocks it, else see to those that do."""
        blocking = self._graph.blocking(item.uid)
        if not blocking:
            await self._drop_finalizer(item, FOREGROUND)
            return
        self._enqueue([Work("delete", one.uid) for one in blocking if not one.waits_for_dependents])

    async def _orphan(self, item: Item) -> None:
        """Take the reference to this owner off all its dependents, then let it go."""
        if not item.orphans_dependents:
            return
        for dependent in self._graph.dependents(item.uid):
            live = await self._read(dependent)
            if live is not None:
                rest = [ref for ref in live.owner_references if ref.uid != item.uid]
                await self._set_owners(dependent, live, rest)
        await self._drop_finalizer(item, ORPHAN)

    async def _read(self, item: Item) -> ObjectMeta | None:
        """The object's metadata as the server has it; None when it is gone or another one."""
        try:
            found: Object = await self.context.client.of(item.kind.struct).get(item.name, namespace=item.namespace)
        except NotFound:
            return None
        return found.metadata if found.metadata.uid == item.uid else None

    async def _set_owners(self, item: Item, live: ObjectMeta, refs: list[OwnerReference]) -> None:
        if refs == live.owner_references:
            return
        await self._patch(item, {"resourceVersion": live.resource_version, "ownerReferences": refs or None})

    async def _unblock(self, item: Item, live: ObjectMeta) -> None:
        """Break a cycle: this object no longer blocks the deletion of its owners."""
        refs = [_unblocking(ref) for ref in live.owner_references]
        await self._set_owners(item, live, refs)

    async def _drop_finalizer(self, item: Item, finalizer: str) -> None:
        live = await self._read(item)
        if live is None or finalizer not in live.finalizers:
            return
        rest = [name for name in live.finalizers if name != finalizer]
        await self._patch(item, {"resourceVersion": live.resource_version, "finalizers": rest or None})

    async def _patch(self, item: Item, metadata: dict[str, Any]) -> None:
        resource = self.context.client.of(item.kind.struct)
        try:
            await resource.patch(item.name, {"metadata": {"uid": item.uid, **metadata}}, namespace=item.namespace)
        except NotFound:
            return

    async def _delete(self, item: Item, policy: Propagation) -> None:
        resource = self.context.client.of(item.kind.struct)
        try:
            await resource.delete(item.name, namespace=item.namespace, uid=item.uid, propagation=policy)
        except (NotFound, Conflict):
            # A conflict is about the uid: another object has the name now.
            return


def _same(old: ObjectMeta, new: ObjectMeta) -> bool:
    """Whether nothing changed that the graph knows: most changes in a cluster are of that sort."""
    return (
        old.owner_references == new.owner_references
        and old.finalizers == new.finalizers
        and old.deletion_timestamp == new.deletion_timestamp
    )


def _unblocking(ref: OwnerReference) -> OwnerReference:
    return OwnerReference(
        api_version=ref.api_version,
        kind=ref.kind,
        name=ref.name,
        uid=ref.uid,
        controller=ref.controller,
        block_owner_deletion=False,
    )
