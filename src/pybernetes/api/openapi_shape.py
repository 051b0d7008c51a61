"""The `Shape` of a custom resource, from its structural OpenAPI v3 schema."""

from collections.abc import Mapping
from typing import Any

from pybernetes.api.meta import ObjectMeta
from pybernetes.api.shape import UNTYPED, Field, Scalar, Shape, shape_of

Schema = Mapping[str, Any]


def resource_shape(schema: Schema) -> Shape:
    """The shape of a custom resource from its structural OpenAPI v3 schema: apiVersion, kind and metadata are known."""
    return _schema_struct(schema, resource=True)


def schema_shape(schema: Schema) -> Shape:
    """The shape of a part of a custom resource."""
    nullable = bool(schema.get("nullable"))
    if schema.get("x-kubernetes-int-or-string"):
        return Shape(form="int-or-string", nullable=nullable)
    sort = schema.get("type")
    if sort == "array":
        return _schema_list(schema)
    if sort == "object" or "properties" in schema:
        return _schema_object(schema)
    scalar = _SCHEMA_SCALARS.get(sort or "")
    if scalar is None:
        return UNTYPED
    narrow = sort == "integer" and schema.get("format") == "int32"
    return Shape(form="int32" if narrow else scalar, nullable=nullable)


_SCHEMA_SCALARS: Mapping[str, Scalar] = {
    "string": "string",
    "integer": "int64",
    "number": "float64",
    "boolean": "bool",
}


def _schema_list(schema: Schema) -> Shape:
    sort = schema.get("x-kubernetes-list-type", "atomic")
    return Shape(
        form="list",
        item=schema_shape(schema.get("items", {})),
        keys=tuple(schema.get("x-kubernetes-list-map-keys", ())) if sort == "map" else (),
        is_set=sort == "set",
        atomic=sort == "atomic",
        nullable=bool(schema.get("nullable")),
    )


def _schema_object(schema: Schema) -> Shape:
    values = schema.get("additionalProperties")
    if values and "properties" not in schema:
        return Shape(
            form="map",
            item=schema_shape(values) if isinstance(values, dict) else UNTYPED,
            atomic=schema.get("x-kubernetes-map-type") == "atomic",
            nullable=bool(schema.get("nullable")),
        )
    return _schema_struct(schema, resource=bool(schema.get("x-kubernetes-embedded-resource")))


def _schema_struct(schema: Schema, *, resource: bool) -> Shape:
    required = frozenset(schema.get("required", ()))

    def load() -> Mapping[str, Field]:
        found = {
            name: Field(shape=schema_shape(part), required=name in required, default=part.get("default"))
            for name, part in schema.get("properties", {}).items()
        }
        return {**found, **_RESOURCE_FIELDS} if resource else found

    return Shape(
        form="struct",
        atomic=schema.get("x-kubernetes-map-type") == "atomic",
        nullable=bool(schema.get("nullable")),
        preserve_unknown=bool(schema.get("x-kubernetes-preserve-unknown-fields")),
        load=load,
    )


_RESOURCE_FIELDS: Mapping[str, Field] = {
    "apiVersion": Field(shape=Shape(form="string")),
    "kind": Field(shape=Shape(form="string")),
    "metadata": Field(shape=shape_of(ObjectMeta), always=True),
}
