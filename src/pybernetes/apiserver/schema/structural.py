"""The OpenAPI definition of a custom resource, from its schema."""

from collections.abc import Mapping
from typing import Any

from pybernetes.api.kind import Kind

Schema = dict[str, Any]

#: The keywords of v2. With others, older clients fail or refuse valid objects.
_V2 = frozenset({"additionalProperties", "description", "enum", "format", "items", "properties", "required", "type"})


def definition_name(kind: Kind[Any]) -> str:
    """`com.example.stable.v1.CronTab`: the reversed group, the version, the kind."""
    return ".".join((*reversed(kind.group.split(".")), kind.version, kind.name))


def resource(schema: Mapping[str, Any], head: Mapping[str, Schema], *, v2: bool) -> Schema:
    """The definition of a resource; `head` describes apiVersion, kind and metadata."""
    made = swagger(schema) if v2 else dict(schema)
    made.pop("x-kubernetes-validations", None)
    made["type"] = "object"
    made["properties"] = {**made.get("properties", {}), **head}
    return made


def swagger(schema: Mapping[str, Any]) -> Schema:
    """A schema in OpenAPI v2, which has neither null nor alternatives."""
    if schema.get("x-kubernetes-int-or-string") or schema.get("nullable"):
        return {k: v for k, v in schema.items() if k.startswith("x-") or k == "description"}
    made: Schema = {k: v for k, v in schema.items() if k.startswith("x-") or k in _V2}
    if schema.get("x-kubernetes-preserve-unknown-fields"):
        made.pop("properties", None)
        made.pop("items", None)
    made.pop("x-kubernetes-validations", None)
    if "properties" in made:
        made["properties"] = {name: swagger(part) for name, part in made["properties"].items()}
    for name in ("items", "additionalProperties"):
        if isinstance(made.get(name), Mapping):
            made[name] = swagger(made[name])
        elif name in made:
            del made[name]
    return made
