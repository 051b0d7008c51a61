"""Every field of lightkube-models, which are generated from Kubernetes' schemas, exists with the same type."""

import importlib
import typing
from datetime import datetime
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.api.shape import Shape

MODULES = {
    "": "core_v1",
    "apps": "apps_v1",
    "authentication.k8s.io": "authentication_v1",
    "authorization.k8s.io": "authorization_v1",
    "autoscaling": "autoscaling_v1",
    "coordination.k8s.io": "coordination_v1",
    "discovery.k8s.io": "discovery_v1",
    "events.k8s.io": "events_v1",
    "policy": "policy_v1",
    "rbac.authorization.k8s.io": "rbac_v1",
}
#: form of a shape -> the types that lightkube-models has for it
TYPES = {
    "string": [str],
    "bytes": [str],
    "quantity": [str],
    "bool": [bool],
    "float64": [float],
    "int32": [int],
    "int64": [int],
    "time": [datetime],
    "micro-time": [datetime],
    "int-or-string": [int | str, int | str | None],
}


def theirs(hint: Any) -> Any:
    """A type of lightkube-models without Optional, its containers as `list[...]` and `dict[str, ...]`."""
    members = [m for m in get_args(hint) if m is not type(None)]
    if get_origin(hint) is typing.Union and len(members) == 1:
        return theirs(members[0])
    return hint


def compare(shape: Shape, model: type, path: str, seen: set[type]) -> list[str]:
    """The differences between a struct and a model, recursively."""
    if model in seen:
        return []
    seen.add(model)
    hints = get_type_hints(model)
    found = []
    for field in msgspec.structs.fields(model):
        known = shape.fields.get(field.encode_name)
        place = f"{path}.{field.encode_name}"
        if known is None:
            found.append(f"{place} is missing")
        else:
            found += differ(known.shape, theirs(hints[field.name]), place, seen)
    return found


def differ(shape: Shape, other: Any, path: str, seen: set[type]) -> list[str]:
    args = get_args(other)
    if shape.form == "list" and shape.item is not None and get_origin(other) is list:
        return differ(shape.item, theirs(args[0]), path + "[]", seen)
    if shape.form == "map" and shape.item is not None and get_origin(other) is dict:
        return differ(shape.item, theirs(args[1]), path + "{}", seen)
    if shape.form == "struct" and isinstance(other, type) and issubclass(other, msgspec.Struct):
        return compare(shape, other, path, seen)
    same = shape.form == "raw" or other in TYPES.get(shape.form, ()) or (shape.form == "map" and other is dict)
    return [] if same else [f"{path}: {shape.form}, not {other!r}"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.group}.{k.name}")
def test_no_field_is_missing_or_of_another_type(kind: Kind[Any]) -> None:
    module = importlib.import_module(f"lightkube.models.{MODULES[kind.group]}")
    assert compare(kind.schema.shape, getattr(module, kind.name), kind.name, set()) == []
