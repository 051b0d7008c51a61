"""Shapes of structs and of the schemas of custom resources, and patches that use both."""

from typing import Any

import pytest

from pybernetes.api.core.pod import Pod
from pybernetes.api.openapi_shape import resource_shape
from pybernetes.api.shape import Shape, shape_of
from pybernetes.apiserver.patch import strategic
from pybernetes.apiserver.patch.apply import server_side_apply
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.schema.strict import find_value_problems

SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["spec"],
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer", "format": "int32", "default": 3},
                "count": {"type": "integer"},
                "when": {"type": "string", "format": "date-time"},
                "limit": {"x-kubernetes-int-or-string": True},
                "note": {"type": "string", "nullable": True},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                "place": {"type": "object", "x-kubernetes-map-type": "atomic", "properties": {"x": {"type": "number"}}},
                "free": {"x-kubernetes-preserve-unknown-fields": True},
                "open": {
                    "type": "object",
                    "x-kubernetes-preserve-unknown-fields": True,
                    "properties": {"known": {"type": "boolean"}},
                },
                "template": {"type": "object", "x-kubernetes-embedded-resource": True},
                "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
                "args": {"type": "array", "items": {"type": "string"}},
                "ports": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["port", "protocol"],
                    "items": {
                        "type": "object",
                        "properties": {
                            "port": {"type": "integer"},
                            "protocol": {"type": "string", "default": "TCP"},
                            "name": {"type": "string"},
                        },
                    },
                },
            },
        }
    },
}
WIDGET = resource_shape(SCHEMA)
VERSION = {"apiVersion": "example.com/v1", "kind": "Widget"}


def at(shape: Shape, *path: str) -> Shape:
    """The shape at a path of JSON names; `*` is the item of a list."""
    for step in path:
        inner = shape.item if step == "*" else shape.child(step)
        assert inner is not None, step
        shape = inner
    return shape


@pytest.mark.parametrize(
    ("path", "form"),
    [
        (("spec", "containers", "*", "ports", "*", "containerPort"), "int32"),
        (("spec", "terminationGracePeriodSeconds"), "int64"),
        (("spec", "overhead"), "map"),
        (("spec", "containers", "*", "resources", "limits"), "map"),
        (("metadata", "creationTimestamp"), "time"),
        (("spec", "containers", "*", "livenessProbe", "httpGet", "port"), "int-or-string"),
        (("metadata", "managedFields", "*", "fieldsV1"), "raw"),
    ],
)
def test_form_of_a_field_of_a_struct(path: tuple[str, ...], form: str) -> None:
    assert at(shape_of(Pod), *path).form == form


@pytest.mark.parametrize(
    ("name", "form"),
    [
        *[("size", "int32"), ("count", "int64"), ("when", "string"), ("limit", "int-or-string"), ("free", "any")],
        *[("labels", "map"), ("place", "struct"), ("open", "struct"), ("tags", "list"), ("ports", "list")],
    ],
)
def test_form_of_a_field_of_a_schema(name: str, form: str) -> None:
    assert at(WIDGET, "spec", name).form == form


def test_facts_of_a_schema() -> None:
    spec = at(WIDGET, "spec")
    assert WIDGET.fields["spec"].required
    assert spec.fields["size"].default == 3
    assert at(spec, "note").nullable
    assert at(spec, "place").atomic
    assert at(spec, "args").atomic
    assert at(spec, "tags").is_set
    assert (at(spec, "ports").keys, at(spec, "ports").key_defaults) == (("port", "protocol"), {"protocol": "TCP"})
    assert at(WIDGET, "metadata", "labels").form == at(spec, "template", "metadata", "labels").form == "map"


def test_list_map_key_with_a_default() -> None:
    assert at(shape_of(Pod), "spec", "containers", "*", "ports").key_defaults == {"protocol": "TCP"}


def test_strict_decoding_of_a_custom_resource() -> None:
    value = {**VERSION, "metadata": {"nme": "x"}, "spec": {"sise": 1, "free": {"a": 1}, "open": {"b": {"c": 1}}}}
    assert find_value_problems(value, WIDGET) == ['unknown field "metadata.nme"', 'unknown field "spec.sise"']


def test_apply_of_a_custom_resource() -> None:
    def apply(live: Any, spec: Any, manager: str) -> Any:
        about = {"api_version": "example.com/v1", "now": "2026-01-01T00:00:00Z", "force": False}
        return server_side_apply(live, {**VERSION, "spec": spec}, shape=WIDGET, manager=manager, **about)

    first = apply(None, {"ports": [{"port": 1, "name": "a"}], "free": {"a": {"b": 1}}, "place": {"x": 1}}, "one")
    second = apply(first, {"ports": [{"port": 2, "protocol": "UDP"}], "free": {"a": {"c": 2}}}, "two")
    assert second["spec"]["ports"] == [{"port": 1, "name": "a"}, {"port": 2, "protocol": "UDP"}]
    assert second["spec"]["free"] == {"a": {"b": 1, "c": 2}}
    fields = second["metadata"]["managedFields"][0]["fieldsV1"]["f:spec"]
    assert fields["f:ports"] == {'k:{"port":1,"protocol":"TCP"}': {".": {}, "f:name": {}, "f:port": {}}}
    assert fields["f:place"] == {}
    assert apply(second, {}, "one")["spec"] == {"ports": [{"port": 2, "protocol": "UDP"}], "free": {"a": {"c": 2}}}
    with pytest.raises(PatchError, match="field not declared in schema"):
        apply(None, {"sise": 1}, "one")


def test_strategic_merge_reads_the_same_shape() -> None:
    live = {"spec": {"ports": [{"port": 1, "name": "a"}]}}
    patched = strategic.apply(live, {"spec": {"ports": [{"port": 1, "name": "b"}]}}, WIDGET)
    assert patched == {"spec": {"ports": [{"port": 1, "name": "b"}]}}
