"""Every field of every kind exists with the JSON name and type that lightkube-models has from the published schemas."""

import importlib
import typing
from datetime import datetime
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec
import pytest

from pybernetes.api import meta
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS

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
QUANTITY, INT_OR_STRING, ANY = "quantity", "int-or-string", "any"


def ours(hint: Any) -> Any:
    """A type of ours, in terms that both sides can be put into."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    members = set(get_args(hint)) - {type(None)}
    if get_origin(hint) is list:
        return [ours(get_args(hint)[0])]
    if get_origin(hint) is dict:
        return {str: ours(get_args(hint)[1])}
    if hint in (msgspec.Raw, Any):
        return ANY
    if members == set(get_args(meta.Quantity)):
        return QUANTITY
    if members == set(get_args(meta.IntOrString)):
        return INT_OR_STRING
    return ours(members.pop()) if len(members) == 1 else hint


def theirs(hint: Any) -> Any:
    members = [m for m in get_args(hint) if m is not type(None)]
    if get_origin(hint) is typing.Union and len(members) == 1:
        return theirs(members[0])
    if get_origin(hint) in (list, typing.List):  # noqa: UP006
        return [theirs(get_args(hint)[0])]
    if get_origin(hint) in (dict, typing.Dict):  # noqa: UP006
        return {str: theirs(get_args(hint)[1])} if get_args(hint) else dict
    return hint


def is_struct(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, msgspec.Struct)


def compare(struct: type, model: type, path: str, seen: set[type]) -> list[str]:
    """What differs between a struct and a model, all the way down."""
    if struct in seen:
        return []
    seen.add(struct)
    hints, model_hints = get_type_hints(struct, include_extras=True), get_type_hints(model)
    by_json = {f.encode_name: f.name for f in msgspec.structs.fields(struct)}
    found = []
    for field in msgspec.structs.fields(model):
        json_name = field.encode_name
        if json_name not in by_json:
            found.append(f"{path}.{json_name} is missing")
            continue
        mine = ours(hints[by_json[json_name]])
        found += differ(mine, theirs(model_hints[field.name]), f"{path}.{json_name}", seen)
    return found


def differ(mine: Any, other: Any, path: str, seen: set[type]) -> list[str]:
    if isinstance(mine, list) and isinstance(other, list):
        return differ(mine[0], other[0], path + "[]", seen)
    if isinstance(mine, dict) and isinstance(other, dict):
        return differ(mine[str], other[str], path + "{}", seen)
    if is_struct(other) and is_struct(mine):
        return compare(mine, other, path, seen)
    if other is datetime:
        return [] if mine is str else [f"{path}: {mine}, not a time"]
    same = mine in (other, ANY) or (isinstance(mine, dict) and other is dict)
    same = same or (mine == QUANTITY and other is str)
    same = same or (mine == INT_OR_STRING and set(get_args(other)) - {type(None)} == {int, str})
    return [] if same else [f"{path}: {mine!r}, not {other!r}"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.group}.{k.name}")
def test_no_field_is_missing_or_of_another_type(kind: Kind[Any]) -> None:
    module = importlib.import_module(f"lightkube.models.{MODULES[kind.group]}")
    assert compare(kind.schema.type, getattr(module, kind.name), kind.name, set()) == []
