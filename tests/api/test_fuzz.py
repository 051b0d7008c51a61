"""Fuzzing: objects of the right types with arbitrary values crash no hook."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pybernetes.api.codec import DecodeError, decode
from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.api.meta_validation import validate_meta
from pybernetes.api.shape import Shape, shape_of

NOW = datetime(2026, 1, 2, tzinfo=UTC)
TEXTS = st.sampled_from(
    ["", "a", "a.b", "Ä", "-", "a b", "1", "10.0.0.1", "::1", "..", "/a", "TCP", "In", "Exists", "x" * 300]
)
NUMBERS = st.sampled_from([0, 1, -1, 80, 70000, 2**31 - 1, -(2**31)])
AMOUNTS = st.sampled_from(["0", "1", "-1", "100m", "1Gi", "0.1n", 2, 0.5])
TIMES = st.just("2026-01-02T15:04:05Z")
SCALARS = {
    "string": TEXTS,
    "bytes": st.sampled_from(["", "YQ==", "YWI="]),
    "time": TIMES,
    "micro-time": TIMES,
    "int32": NUMBERS,
    "int64": NUMBERS,
    "bool": st.booleans(),
    "quantity": AMOUNTS,
    "int-or-string": NUMBERS | TEXTS,
    "raw": st.just({"a": 1}),
}


@cache
def values(struct: type[msgspec.Struct], depth: int) -> st.SearchStrategy[Any]:
    """JSON for a struct: some of its fields, nested at most `depth` levels."""
    fields = {name: value(field.shape, depth - 1) for name, field in shape_of(struct).fields.items()}
    return st.fixed_dictionaries({}, optional={name: found for name, found in fields.items() if found is not None})


def value(shape: Shape, depth: int) -> st.SearchStrategy[Any] | None:
    if shape.type is not None:
        return values(shape.type, depth) if depth > 0 else None
    if shape.item is None:
        return SCALARS[shape.form]
    item = value(shape.item, depth)
    if item is None:
        return None
    return st.lists(item, max_size=2) if shape.form == "list" else st.dictionaries(TEXTS, item, max_size=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [k for k in KINDS if k.stored], ids=lambda k: f"{k.group}.{k.name}")
@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_hooks_accept_any_values(kind: Kind[Any], data: st.DataObject) -> None:
    found = values(kind.schema.type, 7)
    try:
        new, old = (decode(msgspec.json.encode(data.draw(found)), kind.schema.type) for _ in range(2))
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
    assert msgspec.json.decode(msgspec.json.encode(new), type=kind.schema.type) == new
