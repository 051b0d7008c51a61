"""OpenAPI definitions of structs, in two dialects: v3 and v2 (Swagger).

Names, formats and extensions are those of kube-apiserver (`io.k8s.api.core.v1.Pod`): code generators, `kubectl explain`
and `kubectl diff` depend on them.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec

from pybernetes.api import facts, meta
from pybernetes.api.docs import field_docs
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.api.shape import Field, Form, Shape, shape_of
from pybernetes.apiserver.schema import structural

Dialect = Literal["v3", "v2"]
Schema = dict[str, Any]

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
PREFIX: Mapping[Dialect, str] = {"v3": "#/components/schemas/", "v2": "#/definitions/"}
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"


def name_of(struct: type) -> str:
    """`io.k8s.api.apps.v1.Deployment`: the folders of a struct are its group's package and its version, v1 if none."""
    package = struct.__module__.removeprefix("pybernetes.api.").split(".")
    if package == ["meta"]:
        return f"{META}.{struct.__name__}"
    version = package[1] if len(package) > 2 and re.fullmatch(r"v\d\w*", package[1]) else "v1"
    return f"io.k8s.api.{package[0]}.{version}.{struct.__name__}"


def kind_name(kind: Kind[Any]) -> str:
    """The definition of a kind."""
    return name_of(kind.schema.type) if kind.schema.openapi is None else structural.definition_name(kind)


class Definitions:
    """Collects the definitions that a document needs; each struct is described once."""

    def __init__(self, dialect: Dialect, kinds: Iterable[Kind[Any]]) -> None:
        self.dialect = dialect
        self.found: dict[str, Schema] = {}
        self._kinds = {kind.schema.type: kind for kind in kinds if kind.schema.openapi is None}

    def ref(self, struct: type[msgspec.Struct]) -> Schema:
        """A reference to a struct. Adds its definition and all that it refers to."""
        name = name_of(struct)
        if name not in self.found:
            self.found[name] = {}
            self.found[name].update(self._struct(struct))
        return {"$ref": PREFIX[self.dialect] + name}

    def kind_ref(self, kind: Kind[Any]) -> Schema:
        """A reference to a kind. Adds its definition and all that it refers to."""
        if kind.schema.openapi is None:
            return self.ref(kind.schema.type)
        name = kind_name(kind)
        if name not in self.found:
            head = {
                "apiVersion": _described({"type": "string"}, _API_VERSION),
                "kind": _described({"type": "string"}, _KIND),
                "metadata": self._field(Field(shape=shape_of(meta.ObjectMeta), always=True), _METADATA),
            }
            self.found[name] = structural.resource(kind.schema.openapi, head, v2=self.dialect == "v2")
            self.found[name]["x-kubernetes-group-version-kind"] = [gvk(kind.group, kind.version, kind.name)]
        return {"$ref": PREFIX[self.dialect] + name}

    def list_ref(self, kind: Kind[Any]) -> Schema:
        """A reference to the list of a kind."""
        name = kind_name(kind) + "List"
        if name not in self.found:
            self.found[name] = {
                "type": "object",
                "description": f"{kind.list_kind} is a list of {kind.name} objects.",
                "required": ["items"],
                "properties": {
                    "apiVersion": _described({"type": "string"}, _API_VERSION),
                    "items": {"type": "array", "items": self.kind_ref(kind), "description": "Items of the list."},
                    "kind": _described({"type": "string"}, _KIND),
                    "metadata": self._field(Field(shape=shape_of(meta.ListMeta), always=True), "Metadata of the list."),
                },
                "x-kubernetes-group-version-kind": [gvk(kind.group, kind.version, kind.list_kind)],
            }
        return {"$ref": PREFIX[self.dialect] + name}

    def _struct(self, struct: type[msgspec.Struct]) -> Schema:
        shape, texts = shape_of(struct), field_docs(struct)
        properties = {}
        for name, field in sorted(shape.fields.items()):
            text = texts.get(name, "")
            if issubclass(struct, Object) and name in ("apiVersion", "kind", "metadata"):
                text = text or {"apiVersion": _API_VERSION, "kind": _KIND}.get(name, _METADATA)
            properties[name] = self._field(field, text)
        schema: Schema = {"type": "object", "description": _first_paragraph(struct), "properties": properties}
        required = [name for name, field in sorted(shape.fields.items()) if field.required]
        if required:
            schema["required"] = required
        if shape.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        if shape.union is not None:
            schema["x-kubernetes-unions"] = [_union(shape.union)]
        kind = self._kinds.get(struct)
        if kind is not None:
            schema["x-kubernetes-group-version-kind"] = [gvk(kind.group, kind.version, kind.name)]
        elif struct in (meta.DeleteOptions, meta.Status):
            schema["x-kubernetes-group-version-kind"] = [gvk("", "v1", struct.__name__)]
        return schema

    def _field(self, field: Field, text: str) -> Schema:
        shape = field.shape
        schema = _described(dict(self._schema(shape)), text)
        extensions = _extensions(shape)
        if self.dialect == "v3":  # kube-apiserver omits defaults in v2, for old clients.
            default = _default(field)
            if default is not None:
                extensions["default"] = default
            if "$ref" in schema:  # v3 allows no other keyword next to $ref
                schema["allOf"] = [{"$ref": schema.pop("$ref")}]
        return {**schema, **extensions}

    def _schema(self, shape: Shape) -> Schema:
        if shape.type is not None:
            return self.ref(shape.type)
        if shape.form == "list" and shape.item is not None:
            return {"type": "array", "items": self._schema(shape.item)}
        if shape.form == "map" and shape.item is not None:
            return {"type": "object", "additionalProperties": self._schema(shape.item)}
        return self._scalar(shape)

    def _scalar(self, shape: Shape) -> Schema:
        plain = _SCALARS.get(shape.form)
        if plain is not None:
            return dict(plain)
        if shape.form == "int-or-string":
            return self._named(INT_OR_STRING, self._either("integer", "string", "int-or-string"))
        if shape.form == "quantity":
            return self._named(QUANTITY, self._either("string", "number"))
        if shape.form in ("time", "micro-time"):
            name = "Time" if shape.form == "time" else "MicroTime"
            return self._named(f"{META}.{name}", {"type": "string", "format": "date-time"})
        return self._named(f"{META}.{shape.definition}" if shape.definition else RAW, {"type": "object"})

    def _either(self, first: str, second: str, form: str = "") -> Schema:
        """A string or a number; v2 cannot express that."""
        schema: Schema = {"format": form} if form else {}
        if self.dialect == "v2":
            return {"type": "string", **schema}
        return {"oneOf": [{"type": first}, {"type": second}], **schema}

    def _named(self, name: str, schema: Schema) -> Schema:
        self.found.setdefault(name, schema)
        return {"$ref": PREFIX[self.dialect] + name}


_SCALARS: Mapping[Form, Schema] = {
    "string": {"type": "string"},
    "bytes": {"type": "string", "format": "byte"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "float64": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
}
_ZEROS: Mapping[Form, Any] = {
    "string": "",
    "int32": 0,
    "int64": 0,
    "float64": 0,
    "bool": False,
    "struct": {},
}


def _default(field: Field) -> Any:
    """The default of a field; without one, the zero value of fields that Go always writes, else None."""
    if field.default is None and field.always:
        return _ZEROS.get(field.shape.form)
    return field.default


_API_VERSION = "The versioned schema of this representation of an object: group and version, such as apps/v1."
_KIND = "The kind of object that this is, in CamelCase. It can't be changed."
_METADATA = "Standard object's metadata."


def gvk(group: str, version: str, kind: str) -> dict[str, str]:
    """A group-version-kind as a value of extensions."""
    return {"group": group, "kind": kind, "version": version}


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text} if text else schema


def _first_paragraph(struct: type) -> str:
    return " ".join((struct.__doc__ or "").partition("\n\n")[0].split())


def _union(union: facts.Union) -> Schema:
    found: Schema = {"discriminator": union.discriminator} if union.discriminator else {}
    return {**found, "fields-to-discriminateBy": dict(union.fields)}


def _extensions(shape: Shape) -> Schema:
    """List type, keys, map type and patch strategy."""
    if shape.form == "list":
        return _list_extensions(shape)
    if shape.retain_keys:
        return {"x-kubernetes-patch-strategy": "retainKeys"}
    if shape.replaced:
        return {"x-kubernetes-patch-strategy": "replace"}
    return {"x-kubernetes-map-type": "atomic"} if shape.form == "map" and shape.atomic else {}


def _list_extensions(shape: Shape) -> Schema:
    found: Schema = {"x-kubernetes-list-type": "map" if shape.keys else "set" if shape.is_set else "atomic"}
    if shape.keys:
        found["x-kubernetes-list-map-keys"] = list(shape.keys)
    if shape.merge_key:
        found["x-kubernetes-patch-merge-key"] = shape.merge_key
    if shape.merge_key is not None:
        found["x-kubernetes-patch-strategy"] = "merge,retainKeys" if shape.retain_keys else "merge"
    return found
