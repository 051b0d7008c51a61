"""Validation of metadata, the same for every kind. The API server calls both functions."""

from typing import Any

from pybernetes.api import names
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Kind
from pybernetes.api.meta import ObjectMeta, OwnerReference

MAX_ANNOTATIONS = 256 * 1024
IMMUTABLE = "field is immutable"
NOT_EMPTY = "must not be empty"
NOT_NEGATIVE = "must be greater than or equal to 0"

METADATA = Path("metadata")


def validate_meta(kind: Kind[Any], meta: ObjectMeta, errors: Errors) -> None:
    """Name (by the kind's rule), labels, annotations, owners and finalizers."""
    rule = names.NAME_RULES[kind.name_rule]
    if meta.generate_name:
        # Characters are appended to generateName, so it may end in a dash.
        prefix = meta.generate_name
        masked = prefix[:-2] + "a" if len(prefix) > 1 and prefix.endswith("-") else prefix
        for message in rule(masked):
            errors.invalid(METADATA / "generateName", prefix, message)
    if not meta.name:
        errors.required(METADATA / "name", "name or generateName is required")
    else:
        for message in rule(meta.name):
            errors.invalid(METADATA / "name", meta.name, message)
    _namespace(kind, meta, errors)
    if meta.generation < 0:
        errors.invalid(METADATA / "generation", meta.generation, NOT_NEGATIVE)
    validate_labels(meta.labels, METADATA / "labels", errors)
    validate_annotations(meta.annotations, METADATA / "annotations", errors)
    _owners(meta.owner_references, METADATA / "ownerReferences", errors)
    _finalizers(meta.finalizers, METADATA / "finalizers", errors)
    if not kind.free_finalizers:
        _standard_finalizers(meta.finalizers, METADATA / "finalizers", errors)


def _namespace(kind: Kind[Any], meta: ObjectMeta, errors: Errors) -> None:
    path = METADATA / "namespace"
    if not kind.namespaced:
        if meta.namespace:
            errors.forbidden(path, "not allowed on this type")
    elif not meta.namespace:
        errors.required(path)
    else:
        for message in names.dns_label(meta.namespace):
            errors.invalid(path, meta.namespace, message)


def validate_labels(labels: dict[str, str], path: Path, errors: Errors) -> None:
    """Keys are qualified names, values are label values."""
    for key, value in labels.items():
        for message in names.qualified_name(key):
            errors.invalid(path, key, message)
        for message in names.label_value(value):
            errors.invalid(path, value, message)


def validate_annotations(annotations: dict[str, str], path: Path, errors: Errors) -> None:
    """Keys are qualified names, in upper or lower case; keys and values have at most 256 KiB in total."""
    size = 0
    for key, value in annotations.items():
        for message in names.qualified_name(key.lower()):
            errors.invalid(path, key, message)
        size += len(key.encode()) + len(value.encode())
    if size > MAX_ANNOTATIONS:
        errors.too_long(path, MAX_ANNOTATIONS)


def _owners(owners: list[OwnerReference], path: Path, errors: Errors) -> None:
    controller = ""
    for index, owner in enumerate(owners):
        place = path @ index
        if not owner.api_version:
            errors.required(place / "apiVersion", NOT_EMPTY)
        elif owner.api_version.count("/") > 1 or not owner.api_version.rpartition("/")[2]:
            errors.invalid(place / "apiVersion", owner.api_version, "must be <group>/<version> or <version>")
        for name in ("kind", "name", "uid"):
            if not getattr(owner, name):
                errors.required(place / name, NOT_EMPTY)
        if owner.kind == "Event" and owner.api_version == "v1":
            errors.invalid(place, owner, "/v1, Kind=Event is disallowed from being an owner")
        if owner.controller:
            named = f"{owner.kind}/{owner.name}"
            if controller:
                errors.invalid(
                    path,
                    owners,
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {named}",
                )
            controller = controller or named


def _finalizers(finalizers: list[str], path: Path, errors: Errors) -> None:
    for finalizer in finalizers:
        for message in names.qualified_name(finalizer):
            errors.invalid(path, finalizer, message)
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        errors.invalid(path, finalizers, "finalizer orphan and foregroundDeletion cannot be both set")


STANDARD_FINALIZERS = ("kubernetes", "orphan", "foregroundDeletion")
"""The only names of finalizers without a prefix."""
NOT_STANDARD = "name is neither a standard finalizer name nor is it fully qualified"


def is_standard_finalizer(name: str) -> bool:
    """Whether a finalizer has a prefix, or is one of those of Kubernetes."""
    return "/" in name or name in STANDARD_FINALIZERS


def _standard_finalizers(finalizers: list[str], path: Path, errors: Errors) -> None:
    for index, finalizer in enumerate(finalizers):
        if not is_standard_finalizer(finalizer):
            errors.invalid(path @ index, finalizer, NOT_STANDARD)


def validate_meta_update(new: ObjectMeta, old: ObjectMeta, errors: Errors) -> None:
    """Immutable metadata. The server has already filled in the fields that the client omitted."""
    for attribute, name in (
        ("name", "name"),
        ("namespace", "namespace"),
        ("uid", "uid"),
        ("creation_timestamp", "creationTimestamp"),
        ("deletion_timestamp", "deletionTimestamp"),
        ("deletion_grace_period_seconds", "deletionGracePeriodSeconds"),
    ):
        if getattr(new, attribute) != getattr(old, attribute):
            errors.invalid(METADATA / name, getattr(new, attribute), IMMUTABLE)
    if new.generation < old.generation:
        errors.invalid(METADATA / "generation", new.generation, "must not be decremented")
    added = [f for f in new.finalizers if f not in old.finalizers]
    if old.deletion_timestamp and added:
        shown = "{" + ", ".join(f'"{f}"' for f in added) + "}"
        errors.forbidden(
            METADATA / "finalizers",
            f"no new finalizers can be added if the object is being deleted, found new finalizers []string{shown}",
        )
