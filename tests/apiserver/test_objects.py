"""Every served kind with every field set, as kube-apiserver 1.37.2 encodes it, survives our JSON and protobuf."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pybernetes.api.codec import decode
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.api.meta import DeleteOptions
from pybernetes.api.shape import Shape, shape_of
from pybernetes.apiserver.protobuf.decode import to_json
from pybernetes.apiserver.protobuf.tables import messages

OBJECTS = Path(__file__).parents[1] / "testdata" / "objects"

#: (kind, path) -> why our JSON differs.
DIFFERENCES = {
    ("PodDisruptionBudget", ".status.disruptedPods.disruptedPodsKey"): "a zero time in a map is null in Go, empty here",
}


def file_of(kind: Kind[Any]) -> Path:
    return OBJECTS / f"{kind.group or 'core'}.{kind.version}.{kind.name}.json"


def differences(mine: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """The paths at which two JSON values differ."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        for key in sorted(mine.keys() | theirs.keys()):
            yield from differences(mine.get(key), theirs.get(key), f"{path}.{key}")
    elif isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        for index, (left, right) in enumerate(zip(mine, theirs, strict=True)):
            yield from differences(left, right, f"{path}[{index}]")
    elif mine != theirs:
        yield path


def check(kind: Kind[Any], body: bytes) -> None:
    """The body, decoded and encoded again, is the JSON of the file."""
    encoded = json.loads(msgspec.json.encode(decode(body, kind.schema.type)))
    found = {(kind.name, path) for path in differences(encoded, json.loads(file_of(kind).read_bytes()))}
    assert found - DIFFERENCES.keys() == set()


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.group}.{k.name}")
def test_json(kind: Kind[Any]) -> None:
    check(kind, file_of(kind).read_bytes())


@pytest.mark.parametrize("kind", KINDS, ids=lambda k: f"{k.group}.{k.name}")
def test_protobuf(kind: Kind[Any]) -> None:
    check(kind, to_json(file_of(kind).with_suffix(".pb").read_bytes()))


def test_protobuf_of_delete_options() -> None:
    file = OBJECTS / "core.v1.DeleteOptions.json"
    assert json.loads(to_json(file.with_suffix(".pb").read_bytes())) == json.loads(file.read_bytes())


def structs_below(shape: Shape, seen: set[type]) -> None:
    """Every struct that is reachable from a shape."""
    if shape.item is not None:
        structs_below(shape.item, seen)
    if shape.type is not None and shape.type not in seen:
        seen.add(shape.type)
        for field in shape.fields.values():
            structs_below(field.shape, seen)


def test_every_field_has_a_number() -> None:
    seen: set[type] = set()
    for struct in (*(kind.schema.type for kind in KINDS), DeleteOptions):
        structs_below(shape_of(struct), seen)
    missing = {
        (struct.__name__, name)
        for struct in seen
        for name in shape_of(struct).fields.keys() - numbered(group_of(struct), struct.__name__)
        if name not in ("apiVersion", "kind") or "metadata" not in shape_of(struct).fields
    }
    assert missing == {("DeleteOptions", "apiVersion"), ("DeleteOptions", "kind")}


def group_of(struct: type) -> str:
    return struct.__module__.removeprefix("pybernetes.api.").partition(".")[0]


def numbered(group: str, name: str) -> set[str]:
    """The fields of a message and of those inlined into it."""
    found = set(messages()[f"{group}.{name}"].values())
    for inlined in [field for field in found if field.startswith("~")]:
        found |= numbered(group, inlined[1:])
    return found
