"""Who controls an object: the one owner reference with `controller: true`, and how objects find their controller.

An owner manages the objects whose controller reference has its uid, adopts matching objects that have no controller,
and releases its own that no longer match. Indexes avoid scanning a cache.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from msgspec.structs import replace

from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Object, OwnerReference
from pybernetes.client.client import Client
from pybernetes.client.errors import Invalid, NotFound
from pybernetes.client.informer import Cache

K = TypeVar("K", bound=Object)

BY_CONTROLLER = "controller uid"
"""index: uid of the controlling owner -> objects"""
ORPHANS = "namespace of orphans"
"""index: namespace -> objects without a controller"""


def controller_of(obj: Object) -> OwnerReference | None:
    """The reference to the owner that controls `obj`."""
    for ref in obj.metadata.owner_references:
        if ref.controller:
            return ref
    return None


def controller_ref(owner: Object) -> OwnerReference:
    """A reference that makes `owner` the controller of an object and blocks the deletion of the owner."""
    kind = kind_of(type(owner))
    return OwnerReference(
        api_version=kind.api_version,
        kind=kind.name,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )


def is_controlled_by(obj: Object, owner: Object) -> bool:
    """Whether `owner` is the controller of `obj`."""
    ref = controller_of(obj)
    return ref is not None and ref.uid == owner.metadata.uid


def index_by_controller(cache: Cache[K]) -> None:
    """Add the indexes `BY_CONTROLLER` and `ORPHANS` to a cache."""

    def controller(obj: K) -> Iterable[str]:
        ref = controller_of(obj)
        return (ref.uid,) if ref else ()

    def orphans(obj: K) -> Iterable[str]:
        return () if controller_of(obj) else (obj.metadata.namespace,)

    cache.add_index(BY_CONTROLLER, controller)
    cache.add_index(ORPHANS, orphans)


@dataclass(frozen=True, slots=True)
class Claim(Generic[K]):
    """The dependents of an owner, and which ones to adopt and release."""

    owned: list[K] = field(default_factory=list)
    adopt: list[K] = field(default_factory=list)
    release: list[K] = field(default_factory=list)


def claim(owner: Object, cache: Cache[K], selects: Callable[[K], bool]) -> Claim[K]:
    """Which objects `owner` keeps, adopts and releases. An owner that is being deleted changes nothing."""
    going = bool(owner.metadata.deletion_timestamp)
    result: Claim[K] = Claim()
    for obj in cache.by_index(BY_CONTROLLER, owner.metadata.uid):
        if selects(obj):
            result.owned.append(obj)
        elif not going:
            result.release.append(obj)
    if not going:
        result.adopt.extend(
            obj
            for obj in cache.by_index(ORPHANS, owner.metadata.namespace)
            if selects(obj) and not obj.metadata.deletion_timestamp
        )
    return result


async def settle_claim(
    client: Client, struct: type[K], owner: Object, claimed: Claim[K], may_adopt: Callable[[], Awaitable[bool]]
) -> list[K]:
    """Carry out a claim; returns the dependents. `may_adopt` asks the server whether the owner still exists:
    an owner that is being deleted must not adopt, and the cache may lag."""
    owned = list(claimed.owned)
    resource = client.of(struct)
    for obj in claimed.release:
        refs = [ref for ref in obj.metadata.owner_references if ref.uid != owner.metadata.uid]
        try:
            await resource.patch(obj.metadata.name, _owners(obj, refs), namespace=obj.metadata.namespace)
        except (NotFound, Invalid):
            continue
    if claimed.adopt and await may_adopt():
        for obj in claimed.adopt:
            refs = [*obj.metadata.owner_references, controller_ref(owner)]
            try:
                owned.append(
                    await resource.patch(obj.metadata.name, _owners(obj, refs), namespace=obj.metadata.namespace)
                )
            except NotFound:
                continue
    return owned


def _owners(obj: Object, refs: list[OwnerReference]) -> dict[str, object]:
    """A merge patch that sets the owners of exactly this version of the object."""
    meta = {"uid": obj.metadata.uid, "resourceVersion": obj.metadata.resource_version, "ownerReferences": refs}
    return {"metadata": meta}


def with_metadata(obj: K, **changes: object) -> K:
    """A copy of the object with some metadata changed."""
    return replace(obj, metadata=replace(obj.metadata, **changes))


def resolve(ref: OwnerReference | None, kind: str, namespace: str, cache: Cache[K]) -> K | None:
    """The object that a controller reference names, if it is of `kind` and has the same uid."""
    if ref is None or ref.kind != kind:
        return None
    owner = cache.find(ref.name, namespace)
    return owner if owner is not None and owner.metadata.uid == ref.uid else None
