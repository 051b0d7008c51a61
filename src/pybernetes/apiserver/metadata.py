"""The parts of metadata that the server owns: filled in at creation, carried over on update. Pure."""

from collections import Counter
from typing import Any

from msgspec.structs import astuple

from pybernetes.api.kind import Kind
from pybernetes.api.meta import ObjectMeta, Time
from pybernetes.apiserver import errors

NAME_MISSING = "the name of the object ({} based on URL) was undeterminable: name must be provided"


def initialize(meta: ObjectMeta, kind: Kind[Any], *, namespace: str, uid: str, now: Time) -> None:
    """Set the fields of a new object that only the server may set."""
    meta.namespace = namespace if kind.namespaced else ""
    meta.uid = uid
    meta.creation_timestamp = now
    meta.deletion_timestamp = ""
    meta.deletion_grace_period_seconds = None
    meta.self_link = ""
    if kind.has_generation:
        meta.generation = 1


def revision(text: str) -> int | None:
    """A resourceVersion as a number, 0 when it is absent; None when it is not a number."""
    return int(text or 0) if text == "" or (text.isascii() and text.isdigit()) else None


def carry_over(new: ObjectMeta, old: ObjectMeta) -> None:
    """Restore the fields that an update may not change, and those that the client omitted, as kube-apiserver does."""
    new.name = new.name or old.name
    new.namespace = old.namespace
    new.uid = old.uid
    new.creation_timestamp = old.creation_timestamp
    new.deletion_timestamp = new.deletion_timestamp or old.deletion_timestamp
    if new.deletion_grace_period_seconds is None:
        new.deletion_grace_period_seconds = old.deletion_grace_period_seconds
    new.generation = old.generation
    new.self_link = ""


def merge_owners(meta: ObjectMeta) -> list[str]:
    """Drop owner references that occur twice. Returns a warning for the client if there were any."""
    owners = meta.owner_references
    if len(owners) < 2:
        return []
    kept = {astuple(owner): owner for owner in owners}
    if len(kept) == len(owners):
        return []
    times = Counter(astuple(owner) for owner in owners)
    twice = dict.fromkeys(owner.uid for key, owner in kept.items() if times[key] > 1)
    meta.owner_references = list(kept.values())
    return [
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may "
        "reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
        + ", ".join(twice)
    ]


def check_namespace(meta: ObjectMeta, kind: Kind[Any], *, namespace: str, name: str = "") -> None:
    """Check that the object's namespace and name are those of the request. Raises BadRequest."""
    if kind.namespaced:
        if meta.namespace and meta.namespace != namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        meta.namespace = namespace
    else:
        meta.namespace = ""
    if name and meta.name and meta.name != name:
        raise errors.bad_request(f"the name of the object ({meta.name}) does not match the name on the URL ({name})")
    if name and not meta.name:
        raise errors.bad_request(NAME_MISSING.format(name))
