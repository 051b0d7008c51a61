"""The parts of metadata that the server owns: filled in at creation, carried over on update. Pure."""

from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.api.meta import ObjectMeta, Time
from pybernetes.apiserver import errors


def initialize(meta: ObjectMeta, kind: Kind[Any], *, namespace: str, uid: str, now: Time) -> None:
    """Fill in what a new object gets from the server, and drop what only the server may set."""
    meta.namespace = namespace if kind.namespaced else ""
    meta.uid = uid
    meta.creation_timestamp = now
    meta.deletion_timestamp = ""
    meta.deletion_grace_period_seconds = None
    meta.self_link = ""
    meta.generation = 1 if kind.has_generation else 0


def carry_over(new: ObjectMeta, old: ObjectMeta) -> None:
    """Keep what an update may not change. What a client left out is filled in, as in the original."""
    new.name = new.name or old.name
    new.namespace = old.namespace
    new.uid = old.uid
    new.creation_timestamp = old.creation_timestamp
    new.deletion_timestamp = old.deletion_timestamp
    new.deletion_grace_period_seconds = old.deletion_grace_period_seconds
    new.generation = old.generation
    new.self_link = ""


def check_namespace(meta: ObjectMeta, kind: Kind[Any], *, namespace: str, name: str = "") -> None:
    """Check that an object goes where its own metadata says. Raises BadRequest."""
    if kind.namespaced:
        if meta.namespace and meta.namespace != namespace:
            raise errors.bad_request(
                "the namespace of the provided object does not match the namespace sent on the request"
            )
        meta.namespace = namespace
    elif meta.namespace:
        raise errors.bad_request("namespace may not be set on a cluster-scoped object")
    if name and meta.name and meta.name != name:
        raise errors.bad_request(f"the name of the object ({meta.name}) does not match the name on the URL ({name})")
    if name and not meta.name:
        raise errors.bad_request("name must be provided")
