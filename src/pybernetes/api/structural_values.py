"""Defaulting and pruning of plain JSON values by a structural OpenAPI schema, as in kube-apiserver. All in place."""

from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.api.meta import ObjectMeta

Json = Any
OpenApi = Mapping[str, Any]

_HEAD = frozenset({"apiVersion", "kind", "metadata"})
_METADATA = frozenset(ObjectMeta.__struct_encode_fields__)


def clone(value: Json) -> Json:
    """A deep copy."""
    if isinstance(value, dict):
        return {k: clone(v) for k, v in value.items()}
    return [clone(v) for v in value] if isinstance(value, list) else value


def part_of(schema: OpenApi, key: str) -> OpenApi | None:
    """The schema of a member of an object; None when nothing is known about it."""
    known = schema.get("properties", {}).get(key)
    if known is not None:
        return known  # type: ignore[no-any-return]
    values = schema.get("additionalProperties")
    return values if isinstance(values, Mapping) else {} if values is True else None


def _members(value: Json, schema: OpenApi) -> Iterator[tuple[Json, Json, OpenApi]]:
    """(key or index, member, its schema) of everything directly below a value that has a schema."""
    if isinstance(value, dict):
        for key, member in list(value.items()):
            part = part_of(schema, key)
            if part is not None:
                yield key, member, part
    elif isinstance(value, list) and isinstance(schema.get("items"), Mapping):
        for index, member in enumerate(value):
            yield index, member, schema["items"]


def default(value: Json, schema: OpenApi) -> None:
    """Fill in the defaults of absent fields, and of nulls where null is no value."""
    if isinstance(value, dict):
        for key, part in schema.get("properties", {}).items():
            if "default" in part and key not in value:
                value[key] = clone(part["default"])
    for key, member, part in _members(value, schema):
        if member is None and "default" in part and not part.get("nullable"):
            value[key] = clone(part["default"])
        default(value[key], part)


def drop_nulls(value: Json, schema: OpenApi) -> None:
    """Drop the nulls of fields for which null is no value."""
    for key, member, part in _members(value, schema):
        if member is None and isinstance(value, dict) and not part.get("nullable") and part.get("type"):
            del value[key]
        else:
            drop_nulls(member, part)


def prune(value: Json, schema: OpenApi) -> None:
    """Drop the fields that the schema does not name; an embedded resource keeps what every object has."""
    if isinstance(value, dict):
        embedded = bool(schema.get("x-kubernetes-embedded-resource"))
        for key in list(value):
            if embedded and key in _HEAD:
                _prune_metadata(value.get("metadata"))
            elif part_of(schema, key) is None and not schema.get("x-kubernetes-preserve-unknown-fields"):
                del value[key]
    for key, member, part in _members(value, schema):
        if not (key in _HEAD and schema.get("x-kubernetes-embedded-resource")):
            prune(member, part)


def _prune_metadata(metadata: Json) -> None:
    if isinstance(metadata, dict):
        for key in metadata.keys() - _METADATA:
            del metadata[key]
