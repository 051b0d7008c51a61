"""Errors of a client's JSON, with the texts of Go's decoder.

msgspec reports the first mismatch as text, such as "Expected `int`, got `str` - at `$.spec.replicas`".
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pybernetes.api.shape import ANY, Form, Json, Shape, shape_of

_KINDS_OF_JSON = {
    "str": "string",
    "int": "number",
    "float": "number",
    "bool": "bool",
    "null": "null",
    "array": "array",
    "object": "object",
}
_MISMATCH = re.compile(r"Expected `([^`]*)`, got `(\w+)`(?: - at `\$(.*)`)?", re.DOTALL)
_OUT_OF_RANGE = re.compile(r"Expected `int` [<>]= .* - at `\$(.*)`", re.DOTALL)
_MAX_INT32 = 2**31 - 1
_STEP = re.compile(r"\.([^.\[]+)|\[([^\]]*)\]")


class DecodeError(ValueError):
    """The bytes are not such an object; the text is what the client sees."""


def explain(text: str, struct: type[msgspec.Struct], data: bytes) -> DecodeError:
    """The error for a message of msgspec about JSON that is not such a struct."""
    match = _MISMATCH.match(text)
    bound = _OUT_OF_RANGE.match(text)
    if match is not None:
        expected, got, path = match[1], _KINDS_OF_JSON.get(match[2], match[2]), match[3] or ""
    elif bound is not None:
        expected, got, path = "int", f"number {_value_at(data, bound[1])}", bound[1]
    else:
        return DecodeError(f"json: {text}")
    owner, steps, shape = _locate(struct, path)
    if not steps:
        return DecodeError(f"json: cannot unmarshal {got} into Go value of type v1.{struct.__name__}")
    field = f"{owner}.{'.'.join(steps)}"
    return DecodeError(f"json: cannot unmarshal {got} into Go struct field {field} of type {_go_type(shape, expected)}")


def _value_at(data: bytes, path: str) -> Json:
    """The value at msgspec's path. It does not name keys of maps: take the first value that is out of range."""
    value: Any = msgspec.json.decode(data)
    for name, index in _STEP.findall(path):
        if name:
            value = value[name]
        elif index.isdigit():
            value = value[int(index)]
        else:
            value = next((v for v in value.values() if isinstance(v, int) and abs(v) > _MAX_INT32), 0)
    return value


def _locate(struct: type[msgspec.Struct], path: str) -> tuple[str, list[str], Shape]:
    """(innermost struct's name, field names without indexes, the shape expected there) of `.spec.ports[0].port`."""
    shape = shape_of(struct)
    owner, steps = shape.name, list[str]()
    for name, index in _STEP.findall(path):
        if index:
            shape = shape.item or ANY
            continue
        field = shape.fields.get(name)
        if field is not None:
            owner, shape = shape.name, field.shape
            steps += [field.embedded_in] if field.embedded_in else []
        steps.append(name)
    return owner, steps, shape


_GO_TYPES: Mapping[Form, str] = {
    "string": "string",
    "time": "string",
    "micro-time": "string",
    "bytes": "[]uint8",
    "bool": "bool",
    "int32": "int32",
    "int64": "int64",
    "float64": "float64",
    "int-or-string": "intstr.IntOrString",
    "quantity": "resource.Quantity",
}


def _go_type(shape: Shape, expected: str) -> str:
    item = shape.item
    if shape.go_type:
        return shape.go_type
    if shape.form == "list" and item is not None:
        return "[]" + _go_type(item, "")
    if shape.form == "map" and item is not None:
        return "v1.ResourceList" if item.form == "quantity" else "map[string]" + _go_type(item, "")
    if shape.form == "struct":
        return f"v1.{shape.name}"
    return _GO_TYPES.get(shape.form, expected)
