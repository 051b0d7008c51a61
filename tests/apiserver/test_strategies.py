"""Spec and status are kept apart for every kind. The objects come from kube-apiserver's tests: every field is set."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pybernetes.api.kind import Kind
from pybernetes.api.kinds import KINDS
from pybernetes.api.meta import Object
from pybernetes.api.subresource import Subresource
from pybernetes.apiserver.writing import prepare, prepare_new

from .widget import GADGET, WIDGET

OBJECTS = Path(__file__).parents[1] / "testdata" / "objects"
EVERY = [kind for kind in (*KINDS, WIDGET, GADGET) if kind.stored]
SEPARATED = [kind for kind in EVERY if kind.has_status]
COUNTED = [kind for kind in EVERY if kind.has_generation]
#: Kinds of which there is no test data.
OWN: dict[str, dict[str, Any]] = {
    "Widget": {"spec": {"replicas": 3, "parts": [{"name": "a"}]}, "status": {"replicas": 2}},
    "Gadget": {"spec": {"image": "x"}, "status": {"phase": "Ready"}},
}


def each(kinds: list[Kind[Any]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("kind", kinds, ids=lambda kind: kind.resource)


def full(kind: Kind[Any]) -> Any:
    """An object with every field set."""
    own = OWN.get(kind.name)
    if own is not None:
        head = {"apiVersion": kind.api_version, "kind": kind.name, "metadata": {"name": "a"}}
        return kind.schema.load(msgspec.json.encode({**head, **own}))
    group = kind.group or "core"
    return kind.schema.decode((OBJECTS / f"{group}.{kind.version}.{kind.name}.json").read_bytes())


def empty(kind: Kind[Any]) -> Any:
    return kind.new(full(kind).metadata)


def parts(kind: Kind[Any], obj: Object) -> tuple[dict[str, Any], Any]:
    """(every field but metadata and status, the status)"""
    fields = kind.schema.plain(obj)
    status = fields.pop("status", None)
    return {k: v for k, v in fields.items() if k not in ("apiVersion", "kind", "metadata")}, status


def status_of(kind: Kind[Any]) -> Subresource[Any]:
    found = kind.subresource("status")
    assert found is not None
    return found


@each(SEPARATED)
def test_create_does_not_set_the_status(kind: Kind[Any]) -> None:
    sent, without = full(kind), full(kind)
    kind.schema.clear_status(without)
    prepare_new(kind, sent)
    prepare_new(kind, without)
    assert (parts(kind, sent) == parts(kind, without)) is not kind.status_on_create


def test_only_the_kubelet_registers_an_object_with_its_status() -> None:
    assert [kind.name for kind in EVERY if kind.status_on_create] == ["Node"]


@each(SEPARATED)
def test_update_does_not_set_the_status(kind: Kind[Any]) -> None:
    for new, old in ((full(kind), empty(kind)), (empty(kind), full(kind))):
        before = parts(kind, old)[1]
        prepare(kind, new, old, None)
        assert parts(kind, new)[1] == before


@each(SEPARATED)
def test_the_status_endpoint_sets_nothing_but_the_status(kind: Kind[Any]) -> None:
    for new, old in ((full(kind), empty(kind)), (empty(kind), full(kind))):
        before = parts(kind, old)[0]
        prepare(kind, new, old, status_of(kind))
        assert parts(kind, new)[0] == before
        assert new.metadata.owner_references == old.metadata.owner_references
        assert new.metadata.finalizers == old.metadata.finalizers


@each(COUNTED)
def test_the_generation_counts_changes_of_the_spec_only(kind: Kind[Any]) -> None:
    changed, same = full(kind), full(kind)
    same.metadata.labels = {"other": "label"}
    if kind.has_status:
        kind.schema.clear_status(same)
    assert not kind.schema.spec_changed(same, full(kind))
    assert kind.schema.spec_changed(changed, empty(kind))


@each(EVERY)
def test_a_copy_is_equal_and_shares_nothing(kind: Kind[Any]) -> None:
    obj = full(kind)
    copied = kind.schema.copy(obj)
    assert kind.schema.plain(copied) == kind.schema.plain(obj)
    assert copied.metadata is not obj.metadata
