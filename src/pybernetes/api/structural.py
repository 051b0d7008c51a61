"""The schema of kinds that have no struct: custom resources, described by a structural OpenAPI v3 schema.

    body -> decode (metadata typed, the rest plain JSON) -> prune -> default -> validate

An object is an `Unstructured`. As in kube-apiserver a value of a wrong type is no decoding error but a field error of
validation, and fields that the schema does not name are dropped unless it says x-kubernetes-preserve-unknown-fields.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import msgspec

from pybernetes.api import codec
from pybernetes.api.field import Errors
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.api.openapi_shape import resource_shape
from pybernetes.api.schema import STATUS, Body, encode, keep_ownership
from pybernetes.api.shape import Shape
from pybernetes.api.structural_validation import OpenApi, validate
from pybernetes.api.structural_values import clone, default, drop_nulls, prune


class Unstructured(Object, kw_only=True):
    """An object of a kind that has no struct."""

    body: dict[str, Any] = {}
    """every field but apiVersion, kind and metadata, as plain JSON values"""


_HEAD = ("apiVersion", "kind", "metadata")
_load_head = msgspec.json.Decoder(Object).decode


class StructuralSchema:
    """Stands on the `openAPIV3Schema` of a custom resource, which is structural and is never changed.

    `has_status`: whether the status is written through /status, and so is kept apart from the rest.
    """

    type = Unstructured
    strategic_merge = False

    def __init__(self, openapi: OpenApi, *, has_status: bool = False) -> None:
        self.openapi: OpenApi | None = openapi
        self._schema = openapi
        self._has_status = has_status

    @cached_property
    def shape(self) -> Shape:
        """Built from the OpenAPI schema."""
        return resource_shape(self._schema)

    def decode(self, data: Body) -> Unstructured:
        """Only apiVersion, kind and metadata must have the right types. Raises codec.DecodeError."""
        head = codec.decode(data, Object)
        return _join(head, msgspec.json.decode(data))

    def load(self, data: Body) -> Unstructured:
        """Nothing is checked."""
        return _join(_load_head(data), msgspec.json.decode(data))

    def encode(self, obj: Unstructured) -> bytes:
        """The fields of the body follow the metadata."""
        head = encode(Object(api_version=obj.api_version, kind=obj.kind, metadata=obj.metadata))
        return b"%s,%s" % (head[:-1], encode(obj.body)[1:]) if obj.body else head

    def plain(self, obj: Unstructured) -> dict[str, Any]:
        """Every field on one level, as clients see them."""
        metadata = msgspec.to_builtins(obj.metadata, enc_hook=msgspec.json.decode)
        return {"apiVersion": obj.api_version, "kind": obj.kind, "metadata": metadata, **clone(obj.body)}

    def new(self, api_version: str, kind: str, metadata: ObjectMeta) -> Unstructured:
        """The body is empty; `default` fills it."""
        return Unstructured(api_version=api_version, kind=kind, metadata=metadata)

    def copy(self, obj: Unstructured) -> Unstructured:
        """By way of JSON."""
        return self.load(self.encode(obj))

    def default(self, obj: Unstructured) -> None:
        """Defaults of the OpenAPI schema. A null where null is no value counts as absent."""
        default(obj.body, self._schema)
        drop_nulls(obj.body, self._schema)

    def prune(self, obj: Unstructured) -> None:
        """Drop what the OpenAPI schema does not name."""
        prune(obj.body, self._schema)

    def validate(self, obj: Unstructured, errors: Errors) -> None:
        """Types and constraints, in kube-apiserver's words."""
        known = self._schema.get("properties", {})
        parts = {name: part for name, part in known.items() if name not in _HEAD}
        required = [name for name in self._schema.get("required", ()) if name not in _HEAD]
        validate(obj.body, {**self._schema, "properties": parts, "required": required}, errors)

    def clear_status(self, obj: Unstructured) -> None:
        """A status that is not kept apart is a field like any other."""
        if self._has_status:
            obj.body.pop(STATUS, None)

    def keep_status(self, new: Unstructured, old: Unstructured) -> None:
        """The absence of a status is kept, too."""
        if self._has_status:
            new.body = _with_status(new.body, old.body)

    def keep_all_but_status(self, new: Unstructured, old: Unstructured) -> None:
        """Owners and finalizers are not part of the status either."""
        new.body = _with_status(old.body, new.body)
        keep_ownership(new, old)

    def spec_changed(self, new: Unstructured, old: Unstructured) -> bool:
        """Compares every field of the body by value."""
        if not self._has_status:
            return new.body != old.body
        return _with_status(new.body, {}) != _with_status(old.body, {})


def _join(head: Object, fields: dict[str, Any]) -> Unstructured:
    body = {name: value for name, value in fields.items() if name not in _HEAD}
    return Unstructured(api_version=head.api_version, kind=head.kind, metadata=head.metadata, body=body)


def _with_status(body: dict[str, Any], source: dict[str, Any]) -> dict[str, Any]:
    """The body with the status of another one."""
    rest = {name: value for name, value in body.items() if name != STATUS}
    return {**rest, STATUS: source[STATUS]} if STATUS in source else rest
