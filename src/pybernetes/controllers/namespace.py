"""Namespace: empty a namespace that is being deleted, then let it go.

A deleted namespace stays as long as spec.finalizers names `kubernetes`. This controller deletes everything in it: of
every resource that discovery reports, pods first, because what else is there may be needed for them to end well. It
reports in conditions what is left, and when nothing is left it removes its finalizer through the `finalize`
subresource. As long as discovery is incomplete the namespace stays: it may hold objects that can't be seen.
"""

import logging
from collections.abc import Sequence
from typing import cast

from msgspec.structs import replace

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.client.api_resource import ApiResource
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.client.informer import key_of
from pybernetes.client.resource import PartialObjectMetadata, Resource
from pybernetes.controllers.base import Controller, ReconcileError
from pybernetes.controllers.config import NamespaceConfig
from pybernetes.controllers.namespace_status import Remains, conditions
from pybernetes.controllers.times import elapsed
from pybernetes.controllers.types import Context

log = logging.getLogger(__name__)

FINALIZER = "kubernetes"
_UNSUPPORTED = (404, 405)
"""Some API servers list a resource with verbs that they don't serve."""


class NamespaceController(Controller):
    """core/v1 Namespace."""

    name = "namespace-controller"
    component = "namespace-controller"
    settings = NamespaceConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._namespaces = self.watch(Namespace, self._changed)
        self._pods = self.watch(Pod, self._pod_changed)
        self._api = context.client.of(Namespace)

    def _changed(self, old: Namespace | None, new: Namespace | None) -> list[str]:
        return [key_of(new)] if new is not None and new.metadata.deletion_timestamp else []

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> list[str]:
        """When the last pod is gone, the rest can go at once."""
        if new is not None:
            return []
        name = cast("Object", old).metadata.namespace
        namespace = self._namespaces.get(name)
        going = namespace is not None and namespace.metadata.deletion_timestamp
        return [name] if going and not self._pods.count("namespace", name) else []

    async def reconcile(self, key: str) -> float | None:
        """Delete what is there, report what is left, finalize when nothing is."""
        namespace = self._namespaces.get(key)
        if namespace is None or not namespace.metadata.deletion_timestamp:
            return None
        if FINALIZER not in namespace.spec.finalizers:
            return None
        remains = await self._empty(namespace)
        failures = remains.failures()
        if not failures and not remains.objects:
            await self._finalize(namespace)
            return None
        await self._report(namespace, remains)
        if failures:
            raise ReconcileError("; ".join(failures))
        return remains.estimate / 2 + 1

    async def _empty(self, namespace: Namespace) -> Remains:
        """Delete everything, and return what is left: at first of the pods alone."""
        name, remains = namespace.metadata.name, Remains()
        try:
            catalogue = await self.context.discovery.refresh()
        except (ApiError, Unreachable) as error:
            remains.undiscovered = str(error)
            return remains
        remains.discovered(catalogue)
        deletable = [one for one in catalogue.preferred() if one.namespaced and "delete" in one.verbs]
        pods = [one for one in deletable if (one.group, one.plural) == ("", "pods")]
        for resource in pods:
            await self._empty_resource(resource, name, remains, await self._grace(namespace))
        if not remains.objects:
            for resource in deletable:
                if resource not in pods:
                    await self._empty_resource(resource, name, remains, 0.0)
        return remains

    async def _grace(self, namespace: Namespace) -> float:
        """How long the pods of a namespace may take to end; 0 when they should have ended by now."""
        pods = (await self.context.client.of(Pod).list(namespace=namespace.metadata.name)).items
        running = [pod for pod in pods if pod.status.phase not in ("Succeeded", "Failed")]
        grace = max((pod.spec.termination_grace_period_seconds or 0 for pod in running), default=0)
        since = elapsed(namespace.metadata.deletion_timestamp, self.context.clock.now())
        return float(grace) if since < grace else 0.0

    async def _empty_resource(self, resource: ApiResource, namespace: str, remains: Remains, grace: float) -> None:
        """Delete all objects of one resource and note what is left. A failure must not keep the others."""
        try:
            left = await delete_all(self.context.client, resource, namespace)
            remains.count(namespace, resource, left, grace)
        except (ApiError, Unreachable) as error:
            remains.errors.append(str(error))

    async def _report(self, namespace: Namespace, remains: Remains) -> None:
        found = conditions(namespace.status.conditions, remains, self.context.clock.now())
        status = replace(namespace.status, phase="Terminating", conditions=found)
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
        log.info("namespace-controller: %s is empty and deleted", namespace.metadata.name)


async def delete_all(client: Client, resource: ApiResource, namespace: str) -> Sequence[ObjectMeta]:
    """Delete all objects of a resource in a namespace; returns those that are still there."""
    objects = client.metadata(resource)
    present = await _list(objects, namespace)
    if not present and "list" in resource.verbs:
        return []
    if not await _delete_collection(objects, namespace):
        for meta in present:
            try:
                await objects.delete(meta.name, namespace=namespace, propagation="Background")
            except NotFound:
                continue
    return await _list(objects, namespace)


async def _delete_collection(objects: Resource[PartialObjectMetadata], namespace: str) -> bool:
    """Whether the resource can be deleted as a collection; if so, it is."""
    if "deletecollection" not in objects.api.verbs:
        return False
    try:
        await objects.delete_collection(namespace=namespace, propagation="Background")
    except ApiError as error:
        if error.code in _UNSUPPORTED:
            return False
        raise
    return True


async def _list(objects: Resource[PartialObjectMetadata], namespace: str) -> list[ObjectMeta]:
    """What is there, as far as the resource can be listed."""
    if "list" not in objects.api.verbs:
        return []
    try:
        return [item.metadata for item in (await objects.list(namespace=namespace)).items]
    except ApiError as error:
        if error.code in _UNSUPPORTED:
            return []
        raise
