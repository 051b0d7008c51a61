"""delete and deletecollection: grace for pods, finalizers, preconditions, what becomes of dependents.

An object goes at once when nothing holds it back. Otherwise it gets a deletionTimestamp, and whoever takes away its
last finalizer (or, for a pod, the kubelet that ends its grace period) removes it.
"""

from datetime import timedelta
from typing import Any

from pybernetes.api import time
from pybernetes.api.meta import DeleteOptions, ListMeta, Status, StatusDetails
from pybernetes.apiserver import codec, errors, options, reading, rendering
from pybernetes.apiserver.admission.request import Admission, AdmissionRequest
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.selection import selection
from pybernetes.apiserver.types import StreamResponse
from pybernetes.apiserver.writing import Writer, is_finished
from pybernetes.client.errors import NotFound
from pybernetes.client.transport import Response
from pybernetes.store import errors as store_errors
from pybernetes.store.types import KeyValue

ORPHAN, FOREGROUND = "orphan", "foregroundDeletion"
_RETRIES = 10

#: Kinds whose DELETE answers with the object; all others answer with a Status.
_RETURNS_OBJECT = frozenset(
    {
        "pods",
        "services",
        "serviceaccounts",
        "podtemplates",
        "resourcequotas",
        "persistentvolumeclaims",
        "persistentvolumes",
    }
)
#: Kinds whose dependents are orphaned unless the client says otherwise.
_ORPHANS_BY_DEFAULT = frozenset({"replicationcontrollers"})


class Deleter:
    """Deletes objects."""

    def __init__(self, context: ServerContext, admission: Admission, writer: Writer) -> None:
        self._context = context
        self._admission = admission
        self._writer = writer

    async def delete(self, request: ResourceRequest) -> Response:
        """DELETE of one object."""
        asked = options.delete_options(request.query, request.all_of("dryRun"), request.http.body, request.content_type)
        kv, gone = await self.remove(request, request.info.name, asked)
        kind = request.resource.kind
        status = 200 if gone or not _wants_cascade(asked) else 202
        if gone and kind.resource not in _RETURNS_OBJECT:
            return rendering.response(200, codec.encode_status(_success(request, kv)), request.form)
        body = request.resource.to_served(kv.value)
        return rendering.obj(body, request.resource, request.form, now=self._context.now(), status=status)

    async def delete_collection(self, request: ResourceRequest) -> Response | StreamResponse:
        """DELETE of all objects that selectors choose; answers with the list of them."""
        chosen = options.list_options(request.query, watch=False)
        asked = options.delete_options(request.query, request.all_of("dryRun"), request.http.body, request.content_type)
        wanted = selection(request.resource, chosen.label_selector, chosen.field_selector)
        page = await reading.select(self._context, request, wanted, chosen)
        done: list[KeyValue] = []
        for item in page.items:
            name = item.key.rpartition("/")[2]
            try:
                done.append((await self.remove(request, name, asked, key=item.key))[0])
            except NotFound:
                continue
        meta = ListMeta(resource_version=str(self._context.store.revision))
        return await rendering.collection(done, request.resource, request.form, meta, now=self._context.now())

    async def remove(
        self, request: ResourceRequest, name: str, asked: DeleteOptions, *, key: str = ""
    ) -> tuple[KeyValue, bool]:
        """Delete or mark one object: its last version, and whether it is gone. Raises NotFound, Conflict, Forbidden."""
        resource = request.resource
        key = key or resource.key(request.namespace, name)
        for _ in range(_RETRIES):
            kv = self._context.store.get(key)
            if kv is None:
                raise errors.not_found(resource.kind, name)
            old = resource.read(kv)
            _preconditions(request, old, asked)
            await self.admit(request, old, asked)
            try:
                return await self._remove(request, kv, old, asked)
            except store_errors.Conflict:
                continue
            except store_errors.NotFound as error:
                raise errors.not_found(resource.kind, name) from error
        raise errors.conflict(resource.kind, name)

    async def admit(self, request: ResourceRequest, old: Any, asked: DeleteOptions) -> None:
        """Whether admission lets the object go. Raises Forbidden."""
        change = AdmissionRequest(
            operation="DELETE",
            kind=request.resource.kind,
            namespace=old.metadata.namespace,
            name=old.metadata.name,
            user=request.user,
            old=old,
            dry_run=bool(asked.dry_run),
        )
        await self._admission.admit(change)
        await self._admission.validate(change)

    async def _remove(
        self, request: ResourceRequest, kv: KeyValue, old: Any, asked: DeleteOptions
    ) -> tuple[KeyValue, bool]:
        store, resource = self._context.store, request.resource
        new = resource.read(kv)
        if not mark(new, asked, resource.kind.resource, self._context):
            return kv, False
        if is_finished(new):
            if asked.dry_run:
                return kv, True
            gone = await store.delete(kv.key, expect=kv.revision)
            self._writer.released(request, old)
            return gone, True
        value = resource.write(new)
        if asked.dry_run:
            return KeyValue(kv.key, codec.stamp(value, kv.revision), kv.revision, kv.create_revision), False
        return await store.put(kv.key, value, expect=kv.revision), False


def mark(new: Any, asked: DeleteOptions, resource: str, context: ServerContext) -> bool:
    """Write into an object that it is to go. False: it was said before, and nothing is new."""
    meta = new.metadata
    before = list(meta.finalizers), meta.deletion_timestamp, meta.deletion_grace_period_seconds
    meta.finalizers = _finalizers(meta.finalizers, asked, resource)
    grace = _grace(new, asked, resource)
    if not meta.deletion_timestamp:
        meta.deletion_timestamp = time.seconds(context.now() + timedelta(seconds=grace))
        meta.deletion_grace_period_seconds = grace
        if meta.generation:
            meta.generation += 1
        if resource == "namespaces":
            new.status.phase = "Terminating"
    elif grace < (meta.deletion_grace_period_seconds or 0):
        spent = (meta.deletion_grace_period_seconds or 0) - grace
        meta.deletion_timestamp = time.seconds(time.parse(meta.deletion_timestamp) - timedelta(seconds=spent))
        meta.deletion_grace_period_seconds = grace
    now = meta.finalizers, meta.deletion_timestamp, meta.deletion_grace_period_seconds
    return before != now or is_finished(new)


def _grace(obj: Any, asked: DeleteOptions, resource: str) -> int:
    """Seconds that the object may still have. Only a pod that runs on a node has any."""
    if resource != "pods" or not obj.spec.node_name or obj.status.phase in ("Succeeded", "Failed"):
        return 0
    if asked.grace_period_seconds is not None:
        # A negative period means the shortest there is, as in the original.
        return asked.grace_period_seconds if asked.grace_period_seconds >= 0 else 1
    if obj.metadata.deletion_timestamp:
        return int(obj.metadata.deletion_grace_period_seconds or 0)
    period = obj.spec.termination_grace_period_seconds
    return 30 if period is None else max(1, period) if period < 0 else period


def _finalizers(present: list[str], asked: DeleteOptions, resource: str) -> list[str]:
    """The finalizers with those for dependents put in or taken out."""
    policy = asked.propagation_policy
    if policy is None and asked.orphan_dependents is not None:
        policy = "Orphan" if asked.orphan_dependents else "Background"
    if policy is None and resource in _ORPHANS_BY_DEFAULT and FOREGROUND not in present:
        policy = "Orphan"
    if policy is None:
        return present
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    kept = [f for f in present if f not in (ORPHAN, FOREGROUND) or f == wanted]
    if wanted and wanted not in kept:
        kept.append(wanted)
    return kept


def _wants_cascade(asked: DeleteOptions) -> bool:
    return asked.orphan_dependents is False or asked.propagation_policy == "Foreground"


def _preconditions(request: ResourceRequest, old: Any, asked: DeleteOptions) -> None:
    wanted, meta = asked.preconditions, old.metadata
    if wanted is None:
        return
    if wanted.uid is not None and wanted.uid != meta.uid:
        why = f"Precondition failed: UID in precondition: {wanted.uid}, UID in object meta: {meta.uid}"
        raise errors.conflict(request.resource.kind, meta.name, why)
    if wanted.resource_version is not None and wanted.resource_version != meta.resource_version:
        why = (
            f"Precondition failed: ResourceVersion in precondition: {wanted.resource_version}, "
            f"ResourceVersion in object meta: {meta.resource_version}"
        )
        raise errors.conflict(request.resource.kind, meta.name, why)


def _success(request: ResourceRequest, kv: KeyValue) -> Status:
    kind, obj = request.resource.kind, request.resource.read(kv)
    details = StatusDetails(name=obj.metadata.name, group=kind.group, kind=kind.plural, uid=obj.metadata.uid)
    return Status(status="Success", details=details)
