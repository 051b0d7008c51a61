"""Rules that hold for every kind."""

from datetime import UTC, datetime
from typing import Any, get_type_hints

import msgspec
import pytest

from pybernetes.api.docs import field_docs, type_doc
from pybernetes.api.field import Errors
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import BY_NAME, BY_RESOURCE, KINDS, kind_of
from pybernetes.api.meta import Object

NOW = datetime(2026, 1, 2, tzinfo=UTC)
each_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.group}.{k.name}")


@each_kind
def test_hooks_work_on_an_empty_object(kind: Kind[Any]) -> None:
    obj, old = kind.schema.type(), kind.schema.type()
    for each in (obj, old):
        kind.schema.default(each)
        kind.prepare_create(each)
        kind.schema.default(each)
    errors = Errors()
    kind.prepare_update(obj, old)
    kind.schema.validate(obj, errors)
    kind.validate_update(obj, old, errors)
    for endpoint in kind.subresources:
        endpoint.prepare(obj, old)
        if endpoint.validate is not None:
            endpoint.validate(obj, old, errors)
    for read in kind.selectable.values():
        assert isinstance(read(obj), str)


@each_kind
def test_defaulting_is_idempotent(kind: Kind[Any]) -> None:
    obj = kind.schema.type()
    kind.schema.default(obj)
    once = msgspec.json.encode(obj)
    kind.schema.default(obj)
    assert msgspec.json.encode(obj) == once


@each_kind
def test_json_round_trip(kind: Kind[Any]) -> None:
    obj = kind.schema.type()
    kind.schema.default(obj)
    assert msgspec.json.decode(msgspec.json.encode(obj), type=kind.schema.type) == obj


@each_kind
def test_a_row_has_a_cell_for_each_column(kind: Kind[Any]) -> None:
    if kind.row is not None:
        assert len(kind.row(kind.schema.type(), NOW)) == len(kind.columns)
    else:
        assert [c.name for c in kind.columns] == ["Name", "Age"]


@each_kind
def test_the_resource_version_comes_first(kind: Kind[Any]) -> None:
    """The API server writes the revision into the encoded bytes at the start of the first `metadata`."""
    obj = kind.schema.type(api_version=kind.api_version, kind=kind.name)
    obj.metadata.resource_version = "@"
    obj.metadata.name = "x"
    text = msgspec.json.encode(obj).decode()
    assert text.startswith(
        f'{{"apiVersion":"{kind.api_version}","kind":"{kind.name}","metadata":{{"resourceVersion":"@"'
    )


def test_lookups() -> None:
    assert len(BY_NAME) == len(BY_RESOURCE) == len(KINDS)
    assert all(kind_of(kind.schema.type) is kind for kind in KINDS)
    assert all(issubclass(kind.schema.type, Object) for kind in KINDS)


def structs_below(struct: type, seen: set[type]) -> set[type]:
    if struct not in seen:
        seen.add(struct)
        for hint in get_type_hints(struct).values():
            for part in (hint, *getattr(hint, "__args__", ())):
                if isinstance(part, type) and issubclass(part, msgspec.Struct):
                    structs_below(part, seen)
    return seen


@each_kind
def test_every_type_is_documented(kind: Kind[Any]) -> None:
    for struct in structs_below(kind.schema.type, set()):
        text = type_doc(struct)
        assert text.endswith((".", "?")), struct
        assert len(text) > 8 and "TODO" not in text, struct


@pytest.mark.parametrize(
    "path", ["Pod.spec", "PodSpec.nodeName", "Container.image", "ServiceSpec.ports", "Pod.metadata"]
)
def test_common_fields_are_documented(path: str) -> None:
    name, _, field = path.partition(".")
    structs = {s.__name__: s for kind in KINDS for s in structs_below(kind.schema.type, set())}
    assert field_docs(structs[name])[field].endswith(".")
