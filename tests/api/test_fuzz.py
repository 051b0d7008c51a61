"""Objects of the right types and with senseless values: every hook takes them, none falls over."""

from datetime import UTC, datetime
from functools import cache
from typing import Any, get_args, get_origin

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybernetes.api.codec import DecodeError, decode, json_hints
from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.api.meta import IntOrString, Quantity
from pybernetes.api.meta_validation import validate_meta

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TEXTS = st.sampled_from(
    ["", "a", "a.b", "Ä", "-", "a b", "1", "10.0.0.1", "::1", "..", "/a", "TCP", "In", "Exists", "x" * 300]
)
NUMBERS = st.sampled_from([0, 1, -1, 80, 70000, 2**31 - 1, -(2**31)])
AMOUNTS = st.sampled_from(["0", "1", "-1", "100m", "1Gi", "0.1n", 2, 0.5])
TIMES = "2026-01-02T15:04:05Z"


@cache
def values(struct: type[msgspec.Struct], depth: int) -> st.SearchStrategy[Any]:
    """JSON for a struct: some of its fields, at most so many levels deep."""
    fields = {name: value(hint, name, depth - 1) for name, hint in json_hints(struct).items()}
    return st.fixed_dictionaries({}, optional={name: found for name, found in fields.items() if found is not None})


def value(hint: Any, name: str, depth: int) -> st.SearchStrategy[Any] | None:
    members = set(get_args(hint)) - {type(None)}
    if name.endswith(("Time", "Timestamp", "At", "timeAdded")) or name == "time":
        return st.just(TIMES)
    if members == set(get_args(Quantity)):
        return AMOUNTS
    if members == set(get_args(IntOrString)):
        return NUMBERS | TEXTS
    if get_origin(hint) is list:
        item = value(get_args(hint)[0], "", depth)
        return None if item is None else st.lists(item, max_size=2)
    if get_origin(hint) is dict:
        item = value(get_args(hint)[1], "", depth)
        return None if item is None else st.dictionaries(TEXTS, item, max_size=2)
    return scalar_or_struct(members.pop() if len(members) == 1 else hint, depth)


def scalar_or_struct(hint: Any, depth: int) -> st.SearchStrategy[Any] | None:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return values(hint, depth) if depth > 0 else None
    return {str: TEXTS, int: NUMBERS, bool: st.booleans(), msgspec.Raw: st.just({"a": 1})}.get(hint)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS if k.stored], ids=lambda k: f"{k.group}.{k.name}")
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_hooks_take_anything(kind: Kind[Any], data: st.DataObject) -> None:
    found = values(kind.struct, 7)
    try:
        new, old = (decode(msgspec.json.encode(data.draw(found)), kind.struct) for _ in range(2))
    except DecodeError:
        return
    errors = Errors()
    for obj in (new, old):
        kind.schema.default(obj)
        validate_meta(kind, obj.metadata, errors)
        kind.schema.validate(obj, errors)
        if kind.row is not None:
            kind.row(obj, NOW)
    kind.prepare_create(old)
    kind.validate_update(new, old, errors)
    kind.prepare_update(new, old)
    for each in kind.subresources:
        if each.validate is not None:
            each.validate(new, old, errors)
        each.prepare(new, old)
    assert all(isinstance(str(error), str) for error in errors.items)
    assert msgspec.json.decode(msgspec.json.encode(new), type=kind.struct) == new
