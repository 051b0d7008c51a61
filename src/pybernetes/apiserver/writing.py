"""create and update: what an object passes between the request and the store.

    body -> struct -> system metadata -> defaults -> admission -> validation -> managed fields -> store

Every write goes through `create` or `update` here; a PUT, a patch, a scale or a binding differ only in the function
that makes the new object from the present one. A write that loses a race is made again on the newer object, unless
the client named the revision that it started from.
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pybernetes.api import names
from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.meta_validation import validate_meta, validate_meta_update
from pybernetes.apiserver import codec, errors, fieldmanagers, metadata
from pybernetes.apiserver.admission.request import Admission, AdmissionRequest, Operation
from pybernetes.apiserver.allocate import Changes, Reservation
from pybernetes.apiserver.context import ResourceRequest, ServerContext
from pybernetes.apiserver.options import WriteOptions
from pybernetes.store import errors as store_errors
from pybernetes.store.types import KeyValue

#: How often a write is made again on a newer object before the client hears of the conflict.
RETRIES = 5
#: How many random names are tried for a generateName.
_NAME_TRIES = 8

#: Kinds of which an update must name the revision it started from.
_CONDITIONAL = frozenset({"leases.coordination.k8s.io"})

Make = Callable[[Any, bytes], Any]
"""(a private copy of the present object, its bytes as shown) -> the new object. May raise ApiError."""


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome: bytes as shown to the client, and whether the object is new or gone."""

    body: bytes
    created: bool = False
    deleted: bool = False


class Reserve(Protocol):
    """Takes what an object needs from a pool, such as a ClusterIP, and writes it into the object."""

    def reserve(self, new: Any, old: Any | None) -> Reservation:
        """Take; on an update also note what is given up. Raises ApiError."""

    def release(self, gone: Any) -> None:
        """The object is gone: give back what it had."""


class Writer:
    """Writes objects. `reserves`: the pools, by resource."""

    def __init__(self, context: ServerContext, admission: Admission, reserves: dict[str, Reserve]) -> None:
        self._context = context
        self._admission = admission
        self._reserves = reserves

    async def create(self, request: ResourceRequest, obj: Any, options: WriteOptions) -> Written:
        """Store a new object. Raises AlreadyExists, Invalid, Forbidden."""
        meta = obj.metadata
        if meta.resource_version and meta.resource_version != "0":
            raise errors.bad_request("resourceVersion should not be set on objects to be created")
        metadata.check_namespace(meta, request.resource.kind, namespace=request.namespace, name=request.info.name)
        prefix = meta.generate_name if not meta.name else ""
        for _ in range(_NAME_TRIES if prefix else 1):
            if prefix:
                meta.name = names.generate(prefix, self._context.random)
            kind = request.resource.kind
            if self._context.store.get(request.resource.key(request.namespace, meta.name)) is None:
                return await self._create(request, obj, options)
        raise errors.name_conflict(kind, meta.name) if prefix else errors.already_exists(kind, meta.name)

    async def _create(self, request: ResourceRequest, obj: Any, options: WriteOptions) -> Written:
        context, resource, kind = self._context, request.resource, request.resource.kind
        now, meta = context.timestamp(), obj.metadata
        kind.default(obj)
        kind.prepare_create(obj)
        metadata.initialize(meta, kind, namespace=request.namespace, uid=self._uid(), now=now)
        change = self._admission_request("CREATE", request, obj, None, options)
        await self._admission.admit(change)
        kind.default(obj)
        self._check(kind, obj)
        await self._admission.validate(change)
        reserved = self._reserve(kind, obj, None)
        try:
            self._track(kind, obj, None, options, "")
            value = resource.write(obj)
            if options.dry_run:
                return Written(resource.to_served(value), created=True)
            kv = await context.store.put(resource.key(request.namespace, meta.name), value, expect=0)
            reserved.keep()
        except store_errors.AlreadyExists as error:
            raise errors.already_exists(kind, meta.name) from error
        finally:
            reserved.undo()
        return Written(resource.to_served(kv.value), created=True)

    async def update(
        self,
        request: ResourceRequest,
        make: Make,
        options: WriteOptions,
        *,
        subresource: str = "",
        check: Callable[[Any, Any, Errors], None] | None = None,
    ) -> Written:
        """Replace an object by what `make` makes of it. Raises NotFound, Conflict, Invalid, Forbidden.

        `check` stands in for the kind's own validation of an update, for subresources with rules of their own.
        """
        resource, name = request.resource, request.info.name
        key = resource.key(request.namespace, name)
        for attempt in range(RETRIES + 1):
            kv = self._context.store.get(key)
            if kv is None:
                raise errors.not_found(resource.kind, name)
            try:
                return await self._update(request, kv, make, options, subresource, check)
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
        subresource: str,
        check: Callable[[Any, Any, Errors], None] | None,
    ) -> Written:
        resource, kind = request.resource, request.resource.kind
        old = resource.read(kv)
        new = make(resource.read(kv), resource.to_served(kv.value))
        self._check_preconditions(request, new, old)
        metadata.carry_over(new.metadata, old.metadata)
        kind.default(new)
        if subresource == "status":
            metadata.keep_all_but_status(new, old)
            kind.prepare_status(new, old)
        elif not subresource:
            if "status" in kind.subresources:
                metadata.keep_status(new, old)
            kind.prepare_update(new, old)
        # A binding is no change of what the client wants: the node was left open.
        if kind.has_generation and subresource != "binding" and metadata.spec_changed(new, old):
            new.metadata.generation = old.metadata.generation + 1
        change = self._admission_request("UPDATE", request, new, old, options, subresource)
        await self._admission.admit(change)
        kind.default(new)
        self._check_update(kind, new, old, subresource, check)
        await self._admission.validate(change)
        reserved = self._reserve(kind, new, old) if not subresource else Changes()
        try:
            written = await self._store(request, kv, new, old, options, subresource)
            if not options.dry_run:
                reserved.keep()
        finally:
            reserved.undo()
        return written

    async def _store(
        self, request: ResourceRequest, kv: KeyValue, new: Any, old: Any, options: WriteOptions, subresource: str
    ) -> Written:
        context, resource = self._context, request.resource
        self._track(resource.kind, new, old, options, subresource)
        value = resource.write(new)
        if value == codec.unstamped(kv.value):
            return Written(resource.to_served(kv.value))
        if options.dry_run:
            return Written(resource.to_served(codec.stamp(value, kv.revision)))
        if old.metadata.deletion_timestamp and is_finished(new):
            await context.store.delete(kv.key, expect=kv.revision)
            self.released(request, new)
            return Written(resource.to_served(codec.stamp(value, context.store.revision)), deleted=True)
        stored = await context.store.put(kv.key, value, expect=kv.revision)
        return Written(resource.to_served(stored.value))

    def _check_preconditions(self, request: ResourceRequest, new: Any, old: Any) -> None:
        """The client's idea of which object, and which version of it, must be right."""
        kind, name = request.resource.kind, request.info.name
        metadata.check_namespace(new.metadata, kind, namespace=request.namespace, name=name)
        asked, uid = new.metadata.resource_version, new.metadata.uid
        if not asked or asked == "0":
            if kind.resource in _CONDITIONAL:
                found = Errors()
                found.invalid("metadata.resourceVersion", 0, "must be specified for an update")
                raise errors.invalid(kind, name, found.items)
        elif asked != old.metadata.resource_version:
            raise errors.conflict(kind, name)
        if uid and uid != old.metadata.uid:
            raise errors.conflict(
                kind,
                name,
                f"Precondition failed: UID in precondition: {uid}, UID in object meta: {old.metadata.uid}",
            )

    def released(self, request: ResourceRequest, gone: Any) -> None:
        """An object was deleted: its reservations end."""
        pool = self._reserves.get(request.resource.kind.resource)
        if pool is not None:
            pool.release(gone)

    def _track(self, kind: Kind[Any], new: Any, old: Any | None, options: WriteOptions, subresource: str) -> None:
        if not options.is_apply:
            manager, now = options.field_manager, self._context.timestamp()
            fieldmanagers.track(new, old, kind=kind, manager=manager, now=now, subresource=subresource)

    def _reserve(self, kind: Kind[Any], new: Any, old: Any | None) -> Reservation:
        """After `keep`, `undo` does nothing."""
        pool = self._reserves.get(kind.resource)
        return pool.reserve(new, old) if pool is not None else Changes()

    def _check(self, kind: Kind[Any], obj: Any) -> None:
        found = Errors()
        validate_meta(kind, obj.metadata, found)
        kind.validate(obj, found)
        if found:
            raise errors.invalid(kind, obj.metadata.name, found.items)

    def _check_update(
        self,
        kind: Kind[Any],
        new: Any,
        old: Any,
        subresource: str,
        check: Callable[[Any, Any, Errors], None] | None,
    ) -> None:
        found = Errors()
        validate_meta(kind, new.metadata, found)
        validate_meta_update(new.metadata, old.metadata, found)
        if check is not None:
            check(new, old, found)
        elif subresource == "status":
            kind.validate_status(new, old, found)
        else:
            kind.validate(new, found)
            kind.validate_update(new, old, found)
        if found:
            raise errors.invalid(kind, new.metadata.name, found.items)

    def _admission_request(
        self,
        operation: Operation,
        request: ResourceRequest,
        new: Any,
        old: Any,
        options: WriteOptions,
        subresource: str = "",
    ) -> AdmissionRequest:
        return AdmissionRequest(
            operation=operation,
            kind=request.resource.kind,
            namespace=request.namespace,
            name=new.metadata.name,
            user=request.user,
            obj=new,
            old=old,
            subresource=subresource,
            dry_run=options.dry_run,
        )

    def _uid(self) -> str:
        return str(uuid.UUID(int=self._context.random.getrandbits(128), version=4))


def is_finished(obj: Any) -> bool:
    """Whether nothing holds back an object that is being deleted: no finalizer, and its time is up."""
    meta = obj.metadata
    if meta.finalizers or meta.deletion_grace_period_seconds:
        return False
    # A namespace has finalizers of its own in its spec, which the namespace controller takes away.
    return not getattr(getattr(obj, "spec", None), "finalizers", None)
