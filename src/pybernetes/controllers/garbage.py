"""Garbage collector: delete what has lost all its owners, and carry out foreground deletion and orphaning.

`gc_monitors` feeds the metadata of all objects into `gc_graph`; workers process one object after the other. Nothing is
deleted because of the graph alone: an owner that it lacks, and the object itself, are read from the server first, and
a deletion is on condition that neither the object nor its owners have changed since.
"""

import asyncio
import logging
from collections import OrderedDict
from typing import Any

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import ObjectMeta, OwnerReference
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.catalogue import Catalogue
from pybernetes.client.discovery import PERIOD
from pybernetes.client.errors import Conflict, NotFound
from pybernetes.client.resource import PartialObjectMetadata, Propagation, Resource
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import GarbageCollectorConfig
from pybernetes.controllers.gc_graph import FOREGROUND, ORPHAN, Graph, Item, Judgement, Work, item_of
from pybernetes.controllers.gc_monitors import Monitor, Monitors
from pybernetes.controllers.types import Context

log = logging.getLogger(__name__)

_REMEMBERED = 5000


class Undecided(Exception):
    """Whether an owner exists can't be found out: discovery does not know its kind. Nothing is deleted meanwhile."""


class GarbageCollector(Controller):
    """Keys are `delete <uid>` and `orphan <uid>`."""

    name = "garbage-collector-controller"
    component = "generic-garbage-collector"
    settings = GarbageCollectorConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._graph = Graph()
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        """(namespace, uid) of owners known to be gone; uids are never used again"""
        self._undecided: set[str] = set()
        """keys to try again when discovery reports a change"""
        self._monitors: Monitors | None = None

    async def run(self) -> None:
        """Follow all resources and process what they show, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            self._monitors = Monitors(self.context.informers.client, tasks, self._monitor)
            discovered = asyncio.Event()
            self.context.discovery.subscribe(self._resources_changed)
            self.context.discovery.subscribe(lambda _: discovered.set())
            await discovered.wait()
            try:
                async with asyncio.timeout(PERIOD):
                    await self._monitors.synced()
            except TimeoutError:
                log.warning("garbage collector: some resources could not be listed yet; the others are collected")
            await super().run()

    def _monitor(self, resource: ApiResource) -> Monitor:
        return Monitor(resource, self._graph, enqueue=self._enqueue, gone=self._remember)

    def _resources_changed(self, catalogue: Catalogue) -> None:
        assert self._monitors is not None
        for resource in self._monitors.follow(catalogue):
            self._graph.forget(resource)
        for key in self._undecided:
            self.queue.add(key)
        self._undecided.clear()

    def _enqueue(self, work: list[Work]) -> None:
        for item in work:
            self.queue.add(f"{item.action} {item.uid}")

    def _remember(self, namespace: str, uid: str) -> None:
        self._absent[namespace, uid] = None
        if len(self._absent) > _REMEMBERED:
            self._absent.popitem(last=False)

    async def reconcile(self, key: str) -> None:
        """Process one object."""
        action, _, uid = key.partition(" ")
        item = self._graph.items.get(uid)
        if item is None:
            return
        try:
            if action == "orphan":
                await self._orphan(item)
            elif item.waits_for_dependents:
                await self._wait_for_dependents(item)
            elif not item.deleting:
                await self._collect(item)
        except Undecided as error:
            log.debug("garbage collector: %s %s is kept: %s", item.resource.kind, item.name, error)
            self._undecided.add(key)

    async def _collect(self, item: Item) -> None:
        """Delete the object if it has no owner left."""
        if not item.owners:
            return
        live = await self._read(item)
        if live is None or live.deletion_timestamp:
            return
        fresh = item_of(item.resource, live)
        verdict = self._graph.judge(fresh, {ref.uid: await self._judge(fresh, ref) for ref in fresh.owners})
        if verdict.action == "keep":
            return
        log.debug("garbage collector: %s %s: %s (%s)", item.resource.kind, item.name, verdict.action, verdict.reason)
        if verdict.action == "drop references":
            gone = {ref.uid for ref in verdict.drop}
            await self._set_owners(item, live, [ref for ref in live.owner_references if ref.uid not in gone])
        elif verdict.action == "delete foreground":
            if self._graph.in_cycle(item):
                await self._unblock(item, live)
                live = await self._read(item) or live
            await self._delete(item, live, "Foreground")
        else:
            by_finalizer: dict[str, Propagation] = {ORPHAN: "Orphan", FOREGROUND: "Foreground"}
            policy = next((by_finalizer[name] for name in (ORPHAN, FOREGROUND) if name in live.finalizers), None)
            await self._delete(item, live, policy or "Background")

    async def _judge(self, item: Item, ref: OwnerReference) -> Judgement:
        """The state of an owner. Raises Undecided."""
        owner = self._graph.owner(item, ref)
        if owner is not None:
            return "waiting" if owner.waits_for_dependents else "solid"
        resource = self.context.discovery.catalogue.find(ref.api_version, ref.kind)
        if resource is None:
            raise Undecided(f'no matches for kind "{ref.kind}" in version "{ref.api_version}"')
        if resource.namespaced and not item.namespace:
            raise Undecided(f"it is cluster-scoped, but refers to a namespaced owner, {ref.kind} {ref.name}")
        namespace = item.namespace if resource.namespaced else ""
        if (namespace, ref.uid) in self._absent:
            return "absent"
        try:
            found = await self.context.client.metadata(resource).get(ref.name, namespace=namespace)
        except NotFound:
            found = None
        if found is not None and found.metadata.uid == ref.uid:
            return "waiting" if item_of(resource, found.metadata).waits_for_dependents else "solid"
        if ref.uid in self._graph.items:
            self._report_invalid(item, ref)
        self._remember(namespace, ref.uid)
        return "absent"

    def _report_invalid(self, item: Item, ref: OwnerReference) -> None:
        text = f"ownerRef [{ref.api_version}/{ref.kind}, namespace: {item.namespace}, name: {ref.name}, uid: {ref.uid}]"
        text += f' does not exist in namespace "{item.namespace}"'
        about = ObjectReference(
            api_version=item.resource.api_version,
            kind=item.resource.kind,
            name=item.name,
            namespace=item.namespace,
            uid=item.uid,
        )
        self.context.recorder.event(about, "Warning", "OwnerRefInvalidNamespace", text)

    async def _wait_for_dependents(self, item: Item) -> None:
        """Foreground deletion: let the object go when nothing blocks it, else process the dependents that block it."""
        blocking = self._graph.blocking(item.uid)
        if not blocking:
            await self._drop_finalizer(item, FOREGROUND)
            return
        self._enqueue([Work("delete", one.uid) for one in blocking if not one.waits_for_dependents])

    async def _orphan(self, item: Item) -> None:
        """Remove the reference to this owner from all its dependents, then let it go."""
        if not item.orphans_dependents:
            return
        for dependent in self._graph.dependents(item.uid):
            live = await self._read(dependent)
            if live is not None:
                rest = [ref for ref in live.owner_references if ref.uid != item.uid]
                await self._set_owners(dependent, live, rest)
        await self._drop_finalizer(item, ORPHAN)

    def _resource(self, item: Item) -> Resource[PartialObjectMetadata]:
        return self.context.client.metadata(item.resource)

    async def _read(self, item: Item) -> ObjectMeta | None:
        """The object's metadata as the server has it; None when it is gone, or another object has its name."""
        try:
            found = await self._resource(item).get(item.name, namespace=item.namespace)
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
        patch = {"metadata": {"uid": item.uid, **metadata}}
        try:
            await self._resource(item).patch(item.name, patch, namespace=item.namespace)
        except NotFound:
            return

    async def _delete(self, item: Item, live: ObjectMeta, policy: Propagation) -> None:
        """Delete the object unless it has got other owners since it was read. Other changes don't matter."""
        resource = self._resource(item)
        version = live.resource_version
        try:
            await resource.delete(
                item.name, namespace=item.namespace, uid=item.uid, resource_version=version, propagation=policy
            )
        except NotFound:
            return
        except Conflict:
            now = await self._read(item)
            if now is None:
                return
            if now.owner_references != live.owner_references:
                raise
            await resource.delete(item.name, namespace=item.namespace, uid=item.uid, propagation=policy)


def _unblocking(ref: OwnerReference) -> OwnerReference:
    return OwnerReference(
        api_version=ref.api_version,
        kind=ref.kind,
        name=ref.name,
        uid=ref.uid,
        controller=ref.controller,
        block_owner_deletion=False,
    )
