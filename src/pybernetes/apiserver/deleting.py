"""delete and deletecollection: grace periods, finalizers, preconditions, propagation policies.

An object without finalizers and grace period is removed at once. Any other gets a deletionTimestamp; the update that
removes its last finalizer, or the kubelet that ends the grace period of a pod, removes it.
"""

from datetime import datetime, timedelta
from typing import Any

from pybernetes.api import time
from pybernetes.api.kind import Kind
from pybernetes.api.meta import DeleteOptions, ListMeta, Object, Status, StatusDetails
from pybernetes.apiserver import codec, errors, options, reading, rendering
from pybernetes.apiserver.admission.plugin import Admission
from pybernetes.apiserver.allocate import Changes
from pybernetes.apiserver.commit import Commits
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


class Deleter:
    """Deletes objects."""

    def __init__(self, context: ServerContext, admission: Admission, writer: Writer) -> None:
        self._context = context
        self._admission = admission
        self._writer = writer
        self._commits = Commits()

    async def delete(self, request: ResourceRequest) -> Response:
        """DELETE of one object."""
        requested = options.delete_options(
            request.query, request.all_of("dryRun"), request.http.body, request.content_type
        )
        kv, gone = await self.remove(request, request.info.name, requested)
        kind = request.resource.kind
        status = 200 if gone or not _wants_cascade(requested) else 202
        if gone and not kind.returns_deleted:
            return rendering.response(200, codec.encode_status(await _success(request, kv)), request.form)
        body = await request.resource.to_served(kv.value)
        return rendering.obj(body, request.resource.kind, request.form, now=self._context.now(), status=status)

    async def delete_collection(self, request: ResourceRequest) -> Response | StreamResponse:
        """DELETE of all objects that the selectors match. The response lists them."""
        chosen = options.list_options(request.query, watch=False)
        requested = options.delete_options(
            request.query, request.all_of("dryRun"), request.http.body, request.content_type
        )
        wanted = selection(request.resource, chosen.label_selector, chosen.field_selector)
        page = await reading.select(self._context, request, wanted, chosen)
        done: list[KeyValue] = []
        for item in page.items:
            name = item.key.rpartition("/")[2]
            try:
                done.append((await self.remove(request, name, requested, key=item.key))[0])
            except NotFound:
                continue
        meta = ListMeta(resource_version=str(self._context.store.revision))
        resource, now = request.resource, self._context.now()
        return await rendering.collection(await resource.served(done), resource.kind, request.form, meta, now=now)

    async def remove(
        self, request: ResourceRequest, name: str, requested: DeleteOptions, *, key: str = "", admitted: bool = False
    ) -> tuple[KeyValue, bool]:
        """Delete or mark one object: its last version, and whether it is gone. Raises NotFound, Conflict, Forbidden.

        `admitted`: admission has seen the request already.
        """
        resource = request.resource
        key = key or resource.key(request.namespace, name)
        for _ in range(_RETRIES):
            kv = self._context.store.get(key)
            if kv is None:
                raise errors.not_found(resource.kind, name)
            old: Object = await resource.read(kv)
            _preconditions(request, old, requested)
            reserved = Changes() if admitted else await self._admit(request, old, requested)
            work = self._remove(request, kv, old, requested)
            try:
                return await self._commits.run(
                    work, reserved, dry_run=bool(requested.dry_run), shield=bool(resource.kind.pool)
                )
            except store_errors.Conflict:
                continue
            except store_errors.NotFound as error:
                raise errors.not_found(resource.kind, name) from error
        raise errors.conflict(resource.kind, name)

    async def _admit(self, request: ResourceRequest, old: Object, requested: DeleteOptions) -> Changes:
        """Let admission check the deletion. Returns what plugins reserved. Raises Forbidden."""
        name = old.metadata.name
        change = self._writer.admission_request(
            "DELETE", request, old=old, options=requested, name=name, dry_run=bool(requested.dry_run)
        )
        await self._admission.check(change)
        return change.reserved

    async def _remove(
        self, request: ResourceRequest, kv: KeyValue, old: Object, requested: DeleteOptions
    ) -> tuple[KeyValue, bool]:
        store, resource = self._context.store, request.resource
        new: Object = await resource.read(kv)
        if not mark(resource.kind, new, requested, self._context.now()):
            return kv, False
        if is_finished(resource.kind, new):
            if requested.dry_run:
                return kv, True
            gone = await store.delete(kv.key, expect=kv.revision)
            self._writer.released(request, old)
            return gone, True
        value = await resource.write(new)
        if requested.dry_run:
            return KeyValue(kv.key, codec.stamp(value, kv.revision), kv.revision, kv.create_revision), False
        return await store.put(kv.key, value, expect=kv.revision), False


def mark(kind: Kind[Any], new: Object, requested: DeleteOptions, now: datetime) -> bool:
    """Begin the deletion of an object, in place, or shorten its grace period. False: there is nothing to change."""
    meta = new.metadata
    before = list(meta.finalizers), meta.deletion_timestamp, meta.deletion_grace_period_seconds
    meta.finalizers = _finalizers(kind, meta.finalizers, requested)
    grace = kind.grace_period(new, requested.grace_period_seconds)
    if not meta.deletion_timestamp:
        meta.deletion_timestamp = time.seconds(now + timedelta(seconds=grace))
        meta.deletion_grace_period_seconds = grace
        if meta.generation:
            meta.generation += 1
        kind.prepare_delete(new)
    elif grace < (meta.deletion_grace_period_seconds or 0):
        spent = (meta.deletion_grace_period_seconds or 0) - grace
        meta.deletion_timestamp = time.seconds(time.parse(meta.deletion_timestamp) - timedelta(seconds=spent))
        meta.deletion_grace_period_seconds = grace
    after = meta.finalizers, meta.deletion_timestamp, meta.deletion_grace_period_seconds
    return before != after or is_finished(kind, new)


def _finalizers(kind: Kind[Any], present: list[str], requested: DeleteOptions) -> list[str]:
    """The finalizers with those of the propagation policy added or removed."""
    policy = requested.propagation_policy
    if policy is None and requested.orphan_dependents is not None:
        policy = "Orphan" if requested.orphan_dependents else "Background"
    if policy is None and kind.orphans_dependents and FOREGROUND not in present:
        policy = "Orphan"
    if policy is None:
        return present
    wanted = {"Orphan": ORPHAN, "Foreground": FOREGROUND}.get(policy)
    kept = [f for f in present if f not in (ORPHAN, FOREGROUND) or f == wanted]
    if wanted and wanted not in kept:
        kept.append(wanted)
    return kept


def _wants_cascade(requested: DeleteOptions) -> bool:
    return requested.orphan_dependents is False or requested.propagation_policy == "Foreground"


def _preconditions(request: ResourceRequest, old: Object, requested: DeleteOptions) -> None:
    wanted, meta = requested.preconditions, old.metadata
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


async def _success(request: ResourceRequest, kv: KeyValue) -> Status:
    kind = request.resource.kind
    obj: Object = await request.resource.read(kv)
    details = StatusDetails(name=obj.metadata.name, group=kind.group, kind=kind.plural, uid=obj.metadata.uid)
    return Status(status="Success", details=details)
