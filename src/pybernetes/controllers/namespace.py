"""Namespace: empty a namespace that is being deleted, then let it go.

A deleted namespace stays as long as spec.finalizers names `kubernetes`. This controller deletes everything in it,
pods first (what else is there may be needed for them to end well), looks what is left, tells that in conditions, and
when nothing is left takes its finalizer away through the `finalize` subresource.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from pybernetes.api.core.namespace import Namespace, NamespaceCondition
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.client.informer import key_of
from pybernetes.controllers.base import Controller
from pybernetes.controllers.times import stamp
from pybernetes.controllers.types import Context

log = logging.getLogger(__name__)

FINALIZER = "kubernetes"

_LOOK_AGAIN = 1.0
_LOOK_AGAIN_PODS = 3.0


def deletion_order(kinds: Sequence[Kind[Any]] = KINDS) -> list[list[Kind[Any]]]:
    """What a namespace can hold, in groups that are deleted one after the other: pods, then everything else."""
    inside = [kind for kind in kinds if kind.namespaced and kind.stored and "deletecollection" in kind.verbs]
    pods = [kind for kind in inside if kind.resource == "pods"]
    return [pods, [kind for kind in inside if kind not in pods]]


@dataclass(slots=True)
class Remains:
    """What is left in a namespace: counts per resource and per finalizer, and what went wrong."""

    objects: dict[str, int] = field(default_factory=dict)
    finalizers: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)

    def count(self, resource: str, found: Sequence[ObjectMeta]) -> None:
        """Note what is left of one kind."""
        if found:
            self.objects[resource] = len(found)
        for meta in found:
            for finalizer in meta.finalizers:
                self.finalizers[finalizer] = self.finalizers.get(finalizer, 0) + 1

    @property
    def empty(self) -> bool:
        """Whether the namespace may go."""
        return not self.objects and not self.errors


def conditions(before: Sequence[NamespaceCondition], remains: Remains, now: datetime) -> list[NamespaceCondition]:
    """The conditions that tell how far the deletion has come; the words are those of the original."""
    counts = _listed(remains.objects, "{name} has {n} resource instances")
    holders = _listed(remains.finalizers, "{name} in {n} resource instances")
    failures = ", ".join(sorted(remains.errors))
    table = [
        ("NamespaceDeletionDiscoveryFailure", "", "", "ResourcesDiscovered", "All resources successfully discovered"),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            "",
            "",
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            f"Failed to delete all resource types, {len(remains.errors)} remaining: {failures}" if failures else "",
            "ContentDeletionFailed",
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
        (
            "NamespaceContentRemaining",
            f"Some resources are remaining: {counts}" if counts else "",
            "SomeResourcesRemain",
            "ContentRemoved",
            "All content successfully removed",
        ),
        (
            "NamespaceFinalizersRemaining",
            f"Some content in the namespace has finalizers remaining: {holders}" if holders else "",
            "SomeFinalizersRemain",
            "ContentHasNoFinalizers",
            "All content-preserving finalizers finished",
        ),
    ]
    result = []
    for type, problem, bad, good, fine in table:
        status, reason, message = ("True", bad, problem) if problem else ("False", good, fine)
        old = next((item for item in before if item.type == type), None)
        since = old.last_transition_time if old and old.status == status else stamp(now)
        result.append(
            NamespaceCondition(type=type, status=status, reason=reason, message=message, last_transition_time=since)
        )
    return result


def _listed(counts: Mapping[str, int], form: str) -> str:
    return ", ".join(form.format(name=name, n=counts[name]) for name in sorted(counts))


class _MetaOnly(msgspec.Struct):
    metadata: ObjectMeta


class _MetaList(msgspec.Struct):
    items: list[_MetaOnly] | None = None


class NamespaceController(Controller):
    """core/v1 Namespace."""

    name = "namespace-controller"
    component = "namespace-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.watch(Namespace, self._changed)
        self._api = context.client.of(Namespace)
        self._order = deletion_order()

    def _changed(self, old: Namespace | None, new: Namespace | None) -> list[str]:
        going = new is not None and new.metadata.deletion_timestamp
        return [key_of(cast("Object", new))] if going else []

    async def reconcile(self, key: str) -> float | None:
        """Delete what is there, tell what is left, finalize when nothing is."""
        namespace = self._namespaces.get(key)
        if namespace is None or not namespace.metadata.deletion_timestamp:
            return None
        if FINALIZER not in namespace.spec.finalizers:
            return None
        remains = Remains()
        for group in self._order:
            for kind in group:
                await empty(self.context.client, kind, key, remains)
            if remains.objects:
                break
        if remains.empty:
            await self._finalize(namespace)
            return None
        await self._tell(namespace, remains)
        return _LOOK_AGAIN_PODS if "pods" in remains.objects else _LOOK_AGAIN

    async def _tell(self, namespace: Namespace, remains: Remains) -> None:
        told = conditions(namespace.status.conditions, remains, self.context.clock.now())
        status = replace(namespace.status, phase="Terminating", conditions=told)
        if status != namespace.status:
            await self._api.update_status(replace(namespace, status=status))

    async def _finalize(self, namespace: Namespace) -> None:
        """The server removes the object together with its last finalizer."""
        rest = [name for name in namespace.spec.finalizers if name != FINALIZER]
        try:
            await self._api.update(
                replace(namespace, spec=replace(namespace.spec, finalizers=rest)), subresource="finalize"
            )
        except NotFound:
            return
        log.info("namespace-controller: %s is empty and gone", namespace.metadata.name)


async def empty(client: Client, kind: Kind[Any], namespace: str, remains: Remains) -> None:
    """Delete all objects of a kind in a namespace and note what is left of them."""
    path = kind.path(namespace)
    try:
        found = await _metas(client, path)
        if found:
            await client.raw("DELETE", path, propagationPolicy="Background")
            found = await _metas(client, path)
        remains.count(kind.resource, found)
    except NotFound:
        return
    except (ApiError, Unreachable) as error:
        remains.errors.append(f"{kind.resource}: {error}")


async def _metas(client: Client, path: str) -> list[ObjectMeta]:
    answer = msgspec.json.decode(await client.raw("GET", path), type=_MetaList)
    return [item.metadata for item in answer.items or []]
