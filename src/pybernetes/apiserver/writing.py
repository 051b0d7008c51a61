"""create and update: what an object passes between the request and the store.

    body -> object -> system metadata -> defaults -> managed fields -> admission -> validation -> pools -> store

Every write goes through `create` or `update` here; a PUT, a patch, a scale or a binding differ only in the function
that makes the new object from the present one. A write that loses a race is repeated on the newer object, unless the
client named the revision that it started from.

managedFields are recorded before admission: what plugins add belongs to no field manager.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from pybernetes.api import names
from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.api.meta_validation import validate_meta, validate_meta_update
from pybernetes.api.subresource import Subresource
from pybernetes.apiserver import codec, errors, fieldmanagers, metadata
from pybernetes.apiserver.admission.plugin import Admission
from pybernetes.apiserver.admission.request import AdmissionRequest, GroupVersionResource, Operation
from pybernetes.apiserver.allocate import Changes
from pybernetes.apiserver.commit import Commits
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.options import WriteOptions
from pybernetes.apiserver.pools import Allocator
from pybernetes.store import errors as store_errors
from pybernetes.store.types import KeyValue

#: How often a write is repeated on a newer object before the client gets the conflict.
RETRIES = 5
#: How many random names are tried for a generateName.
_NAME_TRIES = 8

Make = Callable[[Any, bytes], Object]
"""(a private copy of the present object, its JSON in the served version) -> the new object. May raise ApiError."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome: JSON in the served version, and whether the object is new or gone."""

    body: bytes
    created: bool = False
    deleted: bool = False


class BodyView(Protocol):
    """An object as the body of an endpoint of another kind, such as a Deployment as a Scale."""

    def show(self, obj: Any) -> Object:
        """The body."""

    def take(self, obj: Any, body: Any) -> Object:
        """The object with what a changed body says."""


class Writer:
    """Writes objects. `pools` are what `Kind.pool` refers to."""

    def __init__(self, context: ServerContext, admission: Admission, pools: Mapping[str, Allocator]) -> None:
        self._context = context
        self._admission = admission
        self._pools = pools
        self._commits = Commits()

    async def create(self, request: ResourceRequest, obj: Object, options: WriteOptions) -> Written:
        """Store a new object. Raises AlreadyExists, Invalid, Forbidden."""
        meta = obj.metadata
        metadata.check_namespace(meta, request.resource.kind, namespace=request.namespace, name=request.info.name)
        if metadata.revision(meta.resource_version):  # kube-apiserver ignores one that is not a number.
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        meta.resource_version = ""
        prefix = meta.generate_name if not meta.name else ""
        for _ in range(_NAME_TRIES if prefix else 1):
            if prefix:
                meta.name = names.generate(prefix, self._context.random)
            kind = request.resource.kind
            if self._context.store.get(request.resource.key(request.namespace, meta.name)) is None:
                return await self._create(request, obj, options)
        raise errors.name_conflict(kind, meta.name) if prefix else errors.already_exists(kind, meta.name)

    async def _create(self, request: ResourceRequest, obj: Object, options: WriteOptions) -> Written:
        kind = request.resource.kind
        now, meta = self._context.timestamp(), obj.metadata
        kind.schema.default(obj)
        metadata.initialize(meta, kind, namespace=request.namespace, uid=self._uid(), now=now)
        self._track(kind, obj, None, options, "")
        request.warnings += metadata.merge_owners(meta)
        prepare_new(kind, obj)
        change = self.admission_request(
            "CREATE", request, obj=obj, options=options.as_object(), dry_run=options.dry_run
        )
        try:
            await self._admission.admit(change)
            kind.schema.default(obj)
            kind.drop_disabled(obj)
            self._check(kind, obj)
            request.warnings += kind.warnings(obj, None)
            await self._admission.validate(change)
            self._reserve(kind, obj, None, change.reserved)
        except BaseException:
            change.reserved.undo()
            raise
        write = self._insert(request, obj, options)
        return await self._commits.run(write, change.reserved, dry_run=options.dry_run, shield=bool(kind.pool))

    async def _insert(self, request: ResourceRequest, obj: Object, options: WriteOptions) -> Written:
        resource, name = request.resource, obj.metadata.name
        value = await resource.write(obj)
        if options.dry_run:
            return Written(await resource.to_served(value), created=True)
        try:
            kv = await self._context.store.put(resource.key(request.namespace, name), value, expect=0)
        except store_errors.AlreadyExists as error:
            raise errors.already_exists(resource.kind, name) from error
        return Written(await resource.to_served(kv.value), created=True)

    async def update(
        self,
        request: ResourceRequest,
        make: Make,
        options: WriteOptions,
        subresource: Subresource[Any] | None = None,
        *,
        body: BodyView | None = None,
        admitted: bool = False,
    ) -> Written:
        """Replace an object by what `make` makes of it. Raises NotFound, Conflict, Invalid, Forbidden.

        `subresource` is the endpoint that is written, None the object itself. It determines what may change.
        `body` is how admission sees the object, where the request's body is of another kind. `admitted`: admission
        has seen the request already, or the server itself writes.
        """
        resource, name = request.resource, request.info.name
        key = resource.key(request.namespace, name)
        for attempt in range(RETRIES + 1):
            kv = self._context.store.get(key)
            if kv is None:
                raise errors.not_found(resource.kind, name)
            try:
                return await self._update(request, kv, make, options, subresource, body, admitted)
            except store_errors.Conflict as error:
                if attempt == RETRIES:
                    raise errors.conflict(resource.kind, name) from error
        raise AssertionError("unreachable")

    async def _update(
        self,
        request: ResourceRequest,
        kv: KeyValue,
        make: Make,
        options: WriteOptions,
        subresource: Subresource[Any] | None,
        body: BodyView | None,
        admitted: bool,
    ) -> Written:
        resource, kind = request.resource, request.resource.kind
        served = await resource.to_served(kv.value)
        old: Object = kind.schema.load(served)
        new = make(kind.schema.load(served), served)
        self._check_preconditions(request, new, old)
        metadata.carry_over(new.metadata, old.metadata)
        kind.schema.default(new)
        prepare(kind, new, old, subresource)
        name = subresource.name if subresource is not None else ""
        self._track(kind, new, old, options, name)
        request.warnings += metadata.merge_owners(new.metadata)
        shown, before = (new, old) if body is None else (body.show(new), body.show(old))
        change = self.admission_request(
            "UPDATE",
            request,
            obj=shown,
            old=before,
            options=options.as_object(),
            subresource=name,
            dry_run=options.dry_run,
        )
        try:
            if not admitted:
                await self._admission.admit(change)
                if body is not None:
                    new = body.take(new, change.obj)
            kind.schema.default(new)
            kind.drop_disabled(new)
            counts = subresource is None or subresource.counts
            if kind.has_generation and counts and kind.schema.spec_changed(new, old):
                new.metadata.generation = old.metadata.generation + 1
            self._check_update(kind, new, old, subresource)
            if subresource is None:
                request.warnings += kind.warnings(new, old)
            if not admitted:
                await self._admission.validate(change)
            if subresource is None:
                self._reserve(kind, new, old, change.reserved)
        except BaseException:
            change.reserved.undo()
            raise
        write = self._store(request, kv, new, old, options)
        return await self._commits.run(write, change.reserved, dry_run=options.dry_run, shield=bool(kind.pool))

    async def _store(
        self, request: ResourceRequest, kv: KeyValue, new: Object, old: Object, options: WriteOptions
    ) -> Written:
        context, resource = self._context, request.resource
        value = await resource.write(new)
        if value == codec.unstamped(kv.value):
            return Written(await resource.to_served(kv.value))
        if options.dry_run:
            return Written(await resource.to_served(codec.stamp(value, kv.revision)))
        if old.metadata.deletion_timestamp and is_finished(resource.kind, new):
            await context.store.delete(kv.key, expect=kv.revision)
            self.released(request, new)
            return Written(await resource.to_served(codec.stamp(value, context.store.revision)), deleted=True)
        stored = await context.store.put(kv.key, value, expect=kv.revision)
        return Written(await resource.to_served(stored.value))

    def _check_preconditions(self, request: ResourceRequest, new: Object, old: Object) -> None:
        """Check that the name, uid and resourceVersion that the client sent are those of the present object."""
        kind, name = request.resource.kind, request.info.name
        metadata.check_namespace(new.metadata, kind, namespace=request.namespace, name=name)
        revision, uid = new.metadata.resource_version, new.metadata.uid
        if not revision or revision == "0":
            if not kind.unconditional_update:
                found = Errors()
                found.invalid("metadata.resourceVersion", 0, "must be specified for an update")
                raise errors.invalid(kind, name, found.items)
        elif metadata.revision(revision) is None:
            raise errors.misconfigured(f'strconv.ParseUint: parsing "{revision}": invalid syntax')
        elif revision != old.metadata.resource_version:
            raise errors.conflict(kind, name)
        if uid and uid != old.metadata.uid:
            key = request.resource.key(request.namespace, name).removeprefix("/registry")
            raise errors.conflict(
                kind,
                name,
                f"StorageError: invalid object, Code: 4, Key: {key}, ResourceVersion: 0, AdditionalErrorMsg: "
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.metadata.uid}",
            )

    def released(self, request: ResourceRequest, gone: Object) -> None:
        """An object was deleted: release what it had reserved."""
        pool = self._pools.get(request.resource.kind.pool)
        if pool is not None:
            pool.release(gone)

    def _track(self, kind: Kind[Any], new: Object, old: Object | None, options: WriteOptions, subresource: str) -> None:
        if not options.is_apply:
            manager, now = options.field_manager, self._context.timestamp()
            fieldmanagers.track(new, old, kind=kind, manager=manager, now=now, subresource=subresource)

    def _reserve(self, kind: Kind[Any], new: Object, old: Object | None, reserved: Changes) -> None:
        pool = self._pools.get(kind.pool)
        if pool is not None:
            reserved.add(pool.reserve(new, old))

    def _check(self, kind: Kind[Any], obj: Object) -> None:
        found = Errors()
        validate_meta(kind, obj.metadata, found)
        kind.schema.validate(obj, found)
        kind.validate_create(obj, found)
        if found:
            raise errors.invalid(kind.stored_as, obj.metadata.name, found.all)

    def _check_update(self, kind: Kind[Any], new: Object, old: Object, subresource: Subresource[Any] | None) -> None:
        found = Errors()
        validate_meta(kind, new.metadata, found)
        validate_meta_update(new.metadata, old.metadata, found)
        if subresource is not None and subresource.validate is not None:
            subresource.validate(new, old, found)
        else:
            kind.schema.validate(new, found)
            kind.validate_update(new, old, found)
        if found:
            raise errors.invalid(kind.stored_as, new.metadata.name, found.all)

    async def admit(
        self, request: ResourceRequest, obj: Any, operation: Operation = "CREATE", options: WriteOptions | None = None
    ) -> None:
        """Ask admission about the body of an endpoint that stores nothing as it was sent. Raises Forbidden."""
        change = self.admission_request(
            operation,
            request,
            obj=obj,
            options=options.as_object() if options is not None else None,
            subresource=request.info.subresource,
            dry_run=options is not None and options.dry_run,
        )
        await self._admission.check(change)

    def admission_request(
        self,
        operation: Operation,
        request: ResourceRequest,
        *,
        obj: Any = None,
        old: Any = None,
        options: msgspec.Struct | None = None,
        subresource: str = "",
        name: str = "",
        dry_run: bool = False,
    ) -> AdmissionRequest:
        """The request that admission sees. `name`: the object's, if it is neither in the URL nor in the object."""
        info, kind = request.info, request.resource.kind
        named = obj if isinstance(obj, Object) else old
        return AdmissionRequest(
            operation=operation,
            kind=kind,
            namespace=request.namespace,
            name=name or info.name or (named.metadata.name if isinstance(named, Object) else ""),
            user=request.user,
            obj=obj,
            old=old,
            subresource=subresource,
            options=options,
            dry_run=dry_run,
            uid=self._uid(),
            requested=GroupVersionResource(info.group, info.version, info.resource),
            warnings=request.warnings,
        )

    def _uid(self) -> str:
        return str(uuid.UUID(int=self._context.random.getrandbits(128), version=4))


def prepare_new(kind: Kind[Any], obj: Object) -> None:
    """Drop from a new object what clients may not set."""
    if kind.has_status and not kind.status_on_create:
        kind.schema.clear_status(obj)
    kind.prepare_create(obj)


def prepare(kind: Kind[Any], new: Object, old: Object, subresource: Subresource[Any] | None) -> None:
    """Restore in `new` what the endpoint does not write. Spec and status are kept apart here and nowhere else."""
    if subresource is None:
        if kind.has_status:
            kind.schema.keep_status(new, old)
        kind.prepare_update(new, old)
        return
    if subresource.writes_status:
        kind.schema.keep_all_but_status(new, old)
    subresource.prepare(new, old)


def is_finished(kind: Kind[Any], obj: Object) -> bool:
    """Whether nothing holds back an object that is being deleted: no finalizer, and its grace period is over."""
    meta = obj.metadata
    if meta.finalizers or meta.deletion_grace_period_seconds:
        return False
    return kind.is_finished(obj)
