"""Custom resources: pruning, defaults, validation with kube-apiserver's messages, and the separation of the status."""

from typing import Any

import msgspec
import pytest

from pybernetes.api.codec import DecodeError
from pybernetes.api.field import Errors
from pybernetes.api.formats import FORMATS
from pybernetes.api.meta import ObjectMeta
from pybernetes.api.structural import StructuralSchema, Unstructured
from pybernetes.api.structural_validation import show_bound, validate

STRING, INTEGER = {"type": "string"}, {"type": "integer"}


def schema(**spec: Any) -> StructuralSchema:
    return StructuralSchema({"type": "object", "properties": {"spec": {"type": "object", **spec}}}, has_status=True)


def made(spec: Any, **more: Any) -> Unstructured:
    return Unstructured("example.com/v1", "Thing", ObjectMeta(name="a"), body={"spec": spec, **more})


def messages(value: Any, part: dict[str, Any]) -> list[str]:
    errors = Errors()
    validate({"f": value}, {"type": "object", "properties": {"f": part}}, errors)
    return [str(error) for error in errors.items]


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        (STRING, 1, 'f: Invalid value: "integer": f in body must be of type string: "integer"'),
        (INTEGER, 1.5, 'f: Invalid value: "number": f in body must be of type integer: "number"'),
        (INTEGER, 2.0, ""),
        ({"type": "number"}, 1, ""),
        ({"type": "boolean"}, "x", 'f: Invalid value: "string": f in body must be of type boolean: "string"'),
        (STRING, None, 'f: Invalid value: "null": f in body must be of type string: "null"'),
        ({**STRING, "nullable": True}, None, ""),
        ({"x-kubernetes-int-or-string": True}, "50%", ""),
        ({**INTEGER, "minimum": 1}, 0, "f: Invalid value: 0: f in body should be greater than or equal to 1"),
        (
            {**INTEGER, "maximum": 5, "exclusiveMaximum": True},
            5,
            "f: Invalid value: 5: f in body should be less than 5",
        ),
        ({**INTEGER, "multipleOf": 5}, 7, "f: Invalid value: 7: f in body should be a multiple of 5"),
        (
            {**INTEGER, "format": "int32"},
            2**31,
            "f: Invalid value: 2147483648: Checked value must be of type integer with format int32",
        ),
        ({**STRING, "minLength": 2}, "a", 'f: Invalid value: "a": f in body should be at least 2 chars long'),
        ({**STRING, "maxLength": 2}, "abc", "f: Too long: may not be more than 2 bytes"),
        ({**STRING, "pattern": "^a"}, "b", "f: Invalid value: \"b\": f in body should match '^a'"),
        ({**STRING, "format": "date-time"}, "x", 'f: Invalid value: "x": f in body must be of type date-time: "x"'),
        ({**STRING, "enum": ["a", "b"]}, "c", 'f: Unsupported value: "c": supported values: "a", "b"'),
        ({"type": "array", "maxItems": 1}, [1, 2], "f: Too many: 2: must have at most 1 items"),
        ({"type": "array", "minItems": 1}, [], "f: Invalid value: 0: f in body should have at least 1 items"),
        (
            {"type": "array", "items": STRING},
            ["a", 1],
            'f[1]: Invalid value: "integer": f[1] in body must be of type string: "integer"',
        ),
        ({"type": "array", "items": STRING, "x-kubernetes-list-type": "set"}, ["a", "a"], 'f[1]: Duplicate value: "a"'),
        (
            {"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"]},
            [{"k": 1}, {"k": 1, "v": 2}],
            'f[1]: Duplicate value: {"k":1}',
        ),
        ({"type": "object", "required": ["a"]}, {}, "f.a: Required value"),
        ({"type": "object", "additionalProperties": INTEGER}, {"a": 1}, ""),
        (
            {"type": "object", "additionalProperties": INTEGER},
            {"a": ""},
            'f.a: Invalid value: "string": f.a in body must be of type integer: "string"',
        ),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            {"apiVersion": "v1"},
            "f.kind: Required value: must not be empty",
        ),
        (
            {"anyOf": [STRING, INTEGER]},
            True,
            'f: Invalid value: "": "f" must validate at least one schema (anyOf)',
        ),
        (
            {"oneOf": [{"minimum": 1}, {"minimum": 2}]},
            3,
            'f: Invalid value: "": "f" must validate one and only one schema (oneOf). Found 2 valid alternatives',
        ),
        ({"not": {"enum": ["a"]}}, "a", 'f: Invalid value: "": "f" must not validate the schema (not)'),
    ],
)
def test_messages(part: dict[str, Any], value: Any, message: str) -> None:
    assert messages(value, part) == ([message] if message else [])


@pytest.mark.parametrize(
    ("form", "valid", "invalid"),
    [
        ("byte", "aGk=", "a"),
        ("cidr", "10.0.0.0/8", "10.0.0.1"),
        ("date", "2026-01-02", "2026-13-02"),
        ("date-time", "2026-01-02T03:04:05Z", "2026-01-02"),
        ("duration", "1h30m", "1 hour"),
        ("email", "a@example.com", "a"),
        ("hostname", "a.example.com", "a_b"),
        ("ipv4", "10.0.0.1", "::1"),
        ("ipv6", "::1", "10.0.0.1"),
        ("mac", "00:11:22:33:44:55", "00:11"),
        ("uri", "https://example.com", "not a uri"),
        ("uuid", "123e4567-e89b-12d3-a456-426614174000", "123"),
    ],
)
def test_formats(form: str, valid: str, invalid: str) -> None:
    assert FORMATS[form](valid) and not FORMATS[form](invalid)


def test_numbers_are_shown_as_go_shows_them() -> None:
    assert [show_bound(n) for n in (10, 0.5, 100000, 1e6, 1234567, 1e-5)] == [
        *("10", "0.5", "100000", "1e+06", "1.234567e+06", "1e-05")
    ]


def test_defaults_apply_where_the_parent_is() -> None:
    inner = {"type": "object", "properties": {"x": {**INTEGER, "default": 1}}}
    kind = schema(
        properties={
            "a": {**STRING, "default": "A"},
            "b": inner,
            "items": {"type": "array", "items": inner},
            "by": {"type": "object", "additionalProperties": inner},
        }
    )
    obj = made({"a": None, "items": [{}], "by": {"k": {}}})
    kind.default(obj)
    assert obj.body == {"spec": {"a": "A", "items": [{"x": 1}], "by": {"k": {"x": 1}}}}


def test_nulls_stay_only_where_null_is_a_value() -> None:
    obj = made({"a": None, "b": None})
    schema(properties={"a": STRING, "b": {**STRING, "nullable": True}}).default(obj)
    assert obj.body == {"spec": {"b": None}}


def test_pruning() -> None:
    kind = schema(
        properties={
            "known": {"type": "object", "properties": {"x": INTEGER}},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"o": {}}},
            "pod": {
                "type": "object",
                "x-kubernetes-embedded-resource": True,
                "properties": {"spec": {"type": "object"}},
            },
        }
    )
    metadata = {"name": "p", "wrong": 1}
    obj = made(
        {
            "known": {"x": 1, "y": 2},
            "open": {"any": [1]},
            "other": 1,
            "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": {"gone": 1}, "gone": 1},
        },
        gone=1,
    )
    kind.prune(obj)
    assert obj.body == {
        "spec": {
            "known": {"x": 1},
            "open": {"any": [1]},
            "pod": {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": {}},
        }
    }


def test_only_the_head_is_checked_when_decoding() -> None:
    kind = schema(properties={"a": INTEGER})
    body = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}, "spec": {"a": "text"}}
    obj = kind.decode(msgspec.json.encode(body))
    assert (obj.metadata.name, obj.body) == ("a", {"spec": {"a": "text"}})
    assert msgspec.json.decode(kind.encode(obj)) == body
    assert kind.plain(kind.copy(obj)) == kind.plain(obj)
    with pytest.raises(DecodeError, match="cannot unmarshal number"):
        kind.decode(msgspec.json.encode({**body, "metadata": {"name": 5}}))
    for data in (b"", b"[]", b"{", b"1"):
        with pytest.raises(DecodeError):
            kind.decode(data)


def test_the_status_is_a_field_like_any_other_without_its_endpoint() -> None:
    kind = StructuralSchema({"type": "object"})
    new, old = made({}, status={"a": 1}), made({}, status={"a": 2})
    kind.keep_status(new, old)
    assert new.body["status"] == {"a": 1} and kind.spec_changed(new, old)
