"""The cases: each field of every kind, one at a time, valid and broken. Pure.

A case puts a value into a small valid object of its kind (bases.yaml). It is tried on create, on update and, below
`status`, on the status subresource, always with `dryRun=All`.
"""

import copy
import functools
import itertools
import json
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

HERE = Path(__file__).parent
OBJECTS = HERE.parent.parent / "tests/testdata/objects"

Json = Any
At = tuple[str | int, ...]
Mode = Literal["create", "update", "status"]

#: Kinds whose metadata is tried; it is the same everywhere.
_WITH_METADATA = ("ConfigMap", "Deployment", "ClusterRole")


@dataclass(frozen=True, slots=True)
class Change:
    """A value for one place of an object; `how` names the sort of value."""

    at: At
    how: str
    value: Json


@dataclass(frozen=True, slots=True)
class Case:
    """Changes to an object, and the request that carries it."""

    mode: Mode
    changes: tuple[Change, ...]

    def apply(self, obj: Json) -> Json:
        """A copy of the object with the changes made."""
        for change in self.changes:
            obj = graft(obj, change.at, change.value) if change.at else obj
        return obj

    def __str__(self) -> str:
        what = ", ".join(f"{dotted(c.at)} ({c.how})" for c in self.changes)
        return f"{self.mode} {what}"


@dataclass(frozen=True, slots=True)
class KindCases:
    """A kind, a small valid object of it, and one with every field filled."""

    api_version: str
    kind: str
    base: Json
    full: Json

    @property
    def file_name(self) -> str:
        """`apps.v1.Deployment`, `core.v1.Pod`"""
        prefix = self.api_version.replace("/", ".") if "/" in self.api_version else f"core.{self.api_version}"
        return f"{prefix}.{self.kind}"


def dotted(at: At) -> str:
    """`spec.containers.0.name`"""
    return ".".join(map(str, at))


@functools.cache
def kinds() -> tuple[KindCases, ...]:
    """Every kind of bases.yaml, in its order."""
    return tuple(_kind(name, base) for name, base in yaml.safe_load((HERE / "bases.yaml").read_text()).items())


def _kind(name: str, base: Json) -> KindCases:
    group, version, kind = name.rsplit(".", 2)
    api_version = version if group == "core" else f"{group}/{version}"
    root = {"apiVersion": api_version, "kind": kind, **base}
    root["metadata"] = {"name": "x", **base.get("metadata", {})}
    return KindCases(api_version, kind, root, json.loads((OBJECTS / f"{name}.json").read_text()))


def cases(of: KindCases) -> Iterator[Case]:
    """The unchanged object, then every field alone."""
    yield Case("create", (Change((), "base", None),))
    for at, value in _places(of.full):
        if not _is_tried(of.kind, at):
            continue
        inside = of.kind != "Pod" and "template" in at and at.index("template") < len(at) - 2
        for how, new in variants(value):
            if inside and how != "full":
                continue
            change = Change(at, how, new)
            if at[0] == "status":
                yield Case("status", (change,))
            else:
                yield Case("create", (change,))
                yield Case("update", (change,))


def pairs(of: KindCases, seed: int, count: int) -> Iterator[Case]:
    """`count` draws of two or three places at once, each on create and on update."""
    draw = random.Random(f"{seed} {of.kind}")
    outside = ("apiVersion", "kind", "status", "metadata")
    spots = [(at, value) for at, value in _places(of.full) if at[0] not in outside]
    for _ in range(count):
        chosen = draw.sample(spots, min(len(spots), draw.choice((2, 3))))
        changes = tuple(Change(at, *draw.choice(list(variants(value)))) for at, value in chosen)
        yield Case("create", changes)
        yield Case("update", changes)


def _is_tried(kind: str, at: At) -> bool:
    if at[0] in ("apiVersion", "kind") or at[:2] == ("metadata", "managedFields"):
        return False
    return at[0] != "metadata" or kind in _WITH_METADATA


def _places(value: Json, at: At = ()) -> Iterator[tuple[At, Json]]:
    """Each path to a leaf or a container; lists are entered at their first element."""
    if at:
        yield at, value
    members: Iterable[tuple[str | int, Json]] = ()
    if isinstance(value, dict):
        members = value.items()
    elif isinstance(value, list) and value:
        members = [(0, value[0])]
    for key, child in members:
        yield from _places(child, (*at, key))


def variants(value: Json) -> Iterator[tuple[str, Json]]:
    """The value as given, and broken in the ways that its type allows."""
    yield "full", value
    yield "null", None
    match value:
        case bool():
            yield from (("string", "true"), ("false", False))
        case int():
            yield from (("string", "7"), ("negative", -1), ("zero", 0), ("one", 1), ("wide", 2**32))
        case str():
            yield from (("number", 7), ("empty", ""), ("odd", "A_b!"), ("name", "abc"), ("long", "a" * 300))
        case list():
            yield from (("map", {}), ("empty", []))
            if value:
                yield "twice", [value[0], value[0]]
        case dict():
            yield from (("list", []), ("empty", {}))


def graft(base: Json, at: At, value: Json) -> Json:
    """A copy of `base` with `value` at the path; containers on the way are made."""
    out = copy.deepcopy(base)
    spot = out
    for here, after in itertools.pairwise(at):
        spot = _enter(spot, here, [] if isinstance(after, int) else {})
    last = at[-1]
    if isinstance(last, int):
        spot[:1] = [value]
    else:
        spot[last] = value
    return out


def _enter(spot: Json, key: str | int, new: Json) -> Json:
    """The container at a key, replaced by an empty one of the right type where it is another or missing."""
    if isinstance(key, int):
        if not spot or not isinstance(spot[0], type(new)):
            spot[:1] = [new]
        return spot[0]
    if not isinstance(spot.get(key), type(new)):
        spot[key] = new
    return spot[key]
