"""Structs as OpenAPI definitions, in the two dialects that clients ask for: v3 and v2 (Swagger).

Names, formats and extensions are those that the original publishes (`io.k8s.api.core.v1.Pod`), since generators,
`kubectl explain` and `kubectl diff` go by them.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pybernetes.api import meta
from pybernetes.api.docs import field_docs
from pybernetes.api.kind import Kind
from pybernetes.api.meta import Object
from pybernetes.api.shape import Field, Form, Shape, shape_of

Dialect = Literal["v3", "v2"]
Schema = dict[str, Any]

META = "io.k8s.apimachinery.pkg.apis.meta.v1"
PREFIX: Mapping[Dialect, str] = {"v3": "#/components/schemas/", "v2": "#/definitions/"}
QUANTITY = "io.k8s.apimachinery.pkg.api.resource.Quantity"
INT_OR_STRING = "io.k8s.apimachinery.pkg.util.intstr.IntOrString"
RAW = "io.k8s.apimachinery.pkg.runtime.RawExtension"
TIME = f"{META}.Time"
MICRO_TIME = f"{META}.MicroTime"
FIELDS = f"{META}.FieldsV1"

BYTES = frozenset({("Secret", "data"), ("ConfigMap", "binaryData")})

#: Required fields beyond the scalars that are always written, by group and struct.
REQUIRED: Mapping[str, str] = {
    "apps.ControllerRevision": "data",
    "apps.DaemonSetSpec": "selector template",
    "apps.DeploymentSpec": "selector template",
    "apps.ReplicaSetSpec": "selector",
    "authentication.TokenReview": "spec",
    "authorization.LocalSubjectAccessReview": "spec",
    "authorization.NonResourceRule": "verbs",
    "authorization.ResourceRule": "verbs",
    "authorization.SelfSubjectAccessReview": "spec",
    "authorization.SelfSubjectRulesReview": "spec",
    "authorization.SubjectAccessReview": "spec",
    "authorization.SubjectRulesReviewStatus": "nonResourceRules resourceRules",
    "core.Binding": "target",
    "core.CephFSVolumeSource": "monitors",
    "core.Event": "involvedObject metadata",
    "core.NodeAllocatableMappedResources": "quantity",
    "core.NodeSelector": "nodeSelectorTerms",
    "core.PersistentVolumeClaimTemplate": "spec",
    "core.PodExtendedResourceClaimStatus": "requestMappings",
    "core.PodSpec": "containers",
    "core.PreferredSchedulingTerm": "preference",
    "core.RBDVolumeSource": "monitors",
    "core.ScaleIOVolumeSource": "secretRef",
    "core.WeightedPodAffinityTerm": "podAffinityTerm",
    "discovery.Endpoint": "addresses",
    "events.Event": "eventTime",
    "events.EventSeries": "lastObservedTime",
    "meta.Condition": "lastTransitionTime",
    "rbac.ClusterRoleBinding": "roleRef",
    "rbac.PolicyRule": "verbs",
    "rbac.RoleBinding": "roleRef",
}


def name_of(struct: type) -> str:
    """`io.k8s.api.apps.v1.Deployment`: the folder of a struct is the middle of its group's package."""
    package = struct.__module__.removeprefix("pybernetes.api.").split(".")
    if package == ["meta"]:
        return f"{META}.{struct.__name__}"
    return f"io.k8s.api.{package[0]}.v1.{struct.__name__}"


def list_name(kind: Kind[Any]) -> str:
    """The definition of a kind's list."""
    return name_of(kind.struct) + "List"


class Definitions:
    """Gathers the definitions that a document needs; each struct is described once."""

    def __init__(self, dialect: Dialect, kinds: Iterable[Kind[Any]]) -> None:
        self.dialect = dialect
        self.found: dict[str, Schema] = {}
        self._kinds = {kind.struct: kind for kind in kinds}

    def ref(self, struct: type) -> Schema:
        """A reference to a struct, whose definition is added with all that it refers to."""
        name = name_of(struct)
        if name not in self.found:
            self.found[name] = {}
            self.found[name].update(self._struct(struct))
        return {"$ref": PREFIX[self.dialect] + name}

    def list_ref(self, kind: Kind[Any]) -> Schema:
        """A reference to the list of a kind."""
        name = list_name(kind)
        if name not in self.found:
            self.found[name] = {
                "type": "object",
                "description": f"{kind.list_kind} is a list of {kind.name} objects.",
                "required": ["items"],
                "properties": {
                    "apiVersion": _described({"type": "string"}, _API_VERSION),
                    "items": {"type": "array", "items": self.ref(kind.struct), "description": "Items of the list."},
                    "kind": _described({"type": "string"}, _KIND),
                    "metadata": self._with(self.ref(meta.ListMeta), "Metadata of the list."),
                },
                "x-kubernetes-group-version-kind": [gvk(kind.group, kind.version, kind.list_kind)],
            }
        return {"$ref": PREFIX[self.dialect] + name}

    def _struct(self, struct: type) -> Schema:
        whole, told = shape_of(struct), field_docs(struct)
        properties: dict[str, Schema] = {}
        required = []
        for name, field in sorted(whole.fields.items()):
            text = told.get(name, "")
            if issubclass(struct, Object) and name in ("apiVersion", "kind", "metadata"):
                text = text or {"apiVersion": _API_VERSION, "kind": _KIND}.get(name, _METADATA)
            properties[name] = self._field(struct, name, field, text)
            if _is_required(struct, name, field):
                required.append(name)
        schema: Schema = {"type": "object", "description": _first_paragraph(struct), "properties": properties}
        if required:
            schema["required"] = required
        if whole.atomic:
            schema["x-kubernetes-map-type"] = "atomic"
        kind = self._kinds.get(struct)
        if kind is not None:
            schema["x-kubernetes-group-version-kind"] = [gvk(kind.group, kind.version, kind.name)]
        elif struct.__name__ in ("DeleteOptions", "Status"):
            schema["x-kubernetes-group-version-kind"] = [gvk("", "v1", struct.__name__)]
        return schema

    def _field(self, struct: type, name: str, field: Field, text: str) -> Schema:
        shape = field.shape
        schema = dict(self._schema(struct, name, shape))
        if shape.form == "list":
            schema |= _list_facts(shape)
        elif shape.retain_keys:
            schema = self._with(schema, "")
            schema["x-kubernetes-patch-strategy"] = "retainKeys"
        elif shape.replaced:
            schema = self._with(schema, "")
            schema["x-kubernetes-patch-strategy"] = "replace"
        if shape.atomic and shape.form == "map":
            schema["x-kubernetes-map-type"] = "atomic"
        if field.default is not None:
            schema["default"] = field.default
        return self._with(schema, text)

    def _with(self, schema: Schema, text: str) -> Schema:
        """A description beside a reference: v3 needs `allOf` for that."""
        if "$ref" in schema and self.dialect == "v3" and set(schema) == {"$ref"}:
            schema = {"allOf": [schema], "default": {}}
        return _described(schema, text)

    def _schema(self, struct: type, name: str, shape: Shape) -> Schema:
        if shape.struct is not None:
            return self.ref(shape.struct)
        if shape.form == "list" and shape.item is not None:
            return {"type": "array", "items": self._schema(struct, name, shape.item)}
        if name == "fieldsV1":
            return self._named(FIELDS, {"type": "object"})
        if shape.form == "map" and shape.item is not None:
            return {"type": "object", "additionalProperties": self._schema(struct, name, shape.item)}
        return self._leaf(struct, name, shape)

    def _leaf(self, struct: type, name: str, shape: Shape) -> Schema:
        if (struct.__name__, name) in BYTES:
            return {"type": "string", "format": "byte"}
        plain = _SCALARS.get(shape.form)
        if plain is not None:
            return dict(plain)
        if shape.form == "time":
            return self._named(TIME, {"type": "string", "format": "date-time"})
        if shape.form == "micro-time":
            return self._named(MICRO_TIME, {"type": "string", "format": "date-time"})
        if shape.form == "int-or-string":
            return self._named(INT_OR_STRING, self._either("integer", "int-or-string"))
        if shape.form == "quantity":
            return self._named(QUANTITY, self._either("number", ""))
        return self._named(RAW, {"type": "object"})

    def _either(self, other: str, form: str) -> Schema:
        """A string or a number; v2 has no words for that."""
        schema: Schema = {"format": form} if form else {}
        if self.dialect == "v2":
            return {"type": "string", **schema}
        return {"oneOf": [{"type": "string"}, {"type": other}], **schema}

    def _named(self, name: str, schema: Schema) -> Schema:
        self.found.setdefault(name, schema)
        return {"$ref": PREFIX[self.dialect] + name}


_SCALARS: Mapping[Form, Schema] = {
    "string": {"type": "string"},
    "int32": {"type": "integer", "format": "int32"},
    "int64": {"type": "integer", "format": "int64"},
    "float64": {"type": "number", "format": "double"},
    "bool": {"type": "boolean"},
}

_API_VERSION = "The versioned schema of this representation of an object: group and version, such as apps/v1."
_KIND = "The kind of object that this is, in CamelCase. It can't be changed."
_METADATA = "Standard object's metadata."


def gvk(group: str, version: str, kind: str) -> dict[str, str]:
    """A group-version-kind as extensions write it."""
    return {"group": group, "kind": kind, "version": version}


def _described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text} if text else schema


def _first_paragraph(struct: type) -> str:
    return " ".join((struct.__doc__ or "").partition("\n\n")[0].split())


def _is_required(struct: type, name: str, field: Field) -> bool:
    """Scalars that are always written must be given; of lists and structs only those in the table."""
    package = struct.__module__.removeprefix("pybernetes.api.").partition(".")[0]
    if name in REQUIRED.get(f"{package}.{struct.__name__}", "").split():
        return True
    return field.required and struct.__name__ not in ("ListMeta", "Status")


def _list_facts(shape: Shape) -> Schema:
    """List type, keys and patch strategy as extensions."""
    facts: Schema = {}
    if shape.keys:
        facts = {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(shape.keys)}
        facts["x-kubernetes-patch-merge-key"] = shape.keys[0]
        facts["x-kubernetes-patch-strategy"] = "merge,retainKeys" if shape.retain_keys else "merge"
    elif shape.is_set:
        facts = {"x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    else:
        facts = {"x-kubernetes-list-type": "atomic"}
    return facts
