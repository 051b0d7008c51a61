"""A protobuf body as JSON. Pure; field numbers come from the tables, types from the structs; every length is checked.

"k8s\\0" + Unknown{typeMeta{apiVersion, kind}, raw: the object's message}
"""

import base64
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import msgspec

from pybernetes.api import time
from pybernetes.api.kinds import BY_NAME
from pybernetes.api.meta import DeleteOptions
from pybernetes.api.shape import Form, Shape, shape_of
from pybernetes.apiserver.protobuf.tables import Numbers, messages
from pybernetes.apiserver.protobuf.wire import (
    BYTES,
    FIXED64,
    ProtobufError,
    bytes_of,
    fields_of,
    number_of,
    signed,
    text_of,
    varint,
)

MAGIC = b"k8s\0"
_MAX_DEPTH = 60
#: Older versions that are still accepted and have the same fields.
_OLDER: Mapping[tuple[str, str], str] = {("policy/v1beta1", "Eviction"): "policy/v1"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_json(body: bytes) -> bytes:
    """The object in a request body, as JSON. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    meta, raw = {}, memoryview(b"")
    for number, wire, value in fields_of(memoryview(body)[len(MAGIC) :]):
        if number == 1 and wire == BYTES:
            meta = {n: text_of(v) for n, w, v in fields_of(value) if w == BYTES}
        elif number == 2 and wire == BYTES:
            raw = value
    version, kind = meta.get(1, ""), meta.get(2, "")
    obj = {"apiVersion": version, "kind": kind, **_message(raw, _root(version, kind), 0)}
    return msgspec.json.encode(obj)


def _root(version: str, kind: str) -> type[msgspec.Struct]:
    """The struct of a top-level message. Raises ProtobufError."""
    known = BY_NAME.get((_OLDER.get((version, kind), version), kind))
    if known is not None:
        return known.schema.type
    if kind == DeleteOptions.__name__ and version.rpartition("/")[2] == "v1":
        return DeleteOptions
    raise ProtobufError(f'no kind "{kind}" is registered for version "{version}" in protobuf')


def _message(data: memoryview, struct: type[msgspec.Struct], depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise ProtobufError("exceeded max depth")
    found: dict[str, Any] = {}
    _read_into(found, data, _readers(struct), depth)
    return found


def _read_into(found: dict[str, Any], data: memoryview, readers: "Readers", depth: int) -> None:
    for number, wire, value in fields_of(data):
        reader = readers.get(number)
        if reader is not None:
            reader(found, wire, value, depth)


# --- readers: one per field, made from the shape of the struct

Value = Callable[[int, Any, int], Any]
"""(wire type, value, depth) -> JSON; None for a value that JSON omits"""
Reader = Callable[[dict[str, Any], int, Any, int], None]
"""(message so far, wire type, value, depth): puts the field's value into the message"""
Readers = Mapping[int, Reader]


@cache
def _readers(struct: type[msgspec.Struct]) -> Readers:
    """The readers of a struct by field number. Fields that the struct does not have are skipped."""
    group = struct.__module__.removeprefix("pybernetes.api.").partition(".")[0]
    return _numbered(messages()[f"{group}.{struct.__name__}"], group, shape_of(struct))


def _numbered(numbers: Numbers, group: str, shape: Shape) -> Readers:
    found: dict[int, Reader] = {}
    for number, name in numbers.items():
        if name.startswith("~"):
            found[number] = _inlined(_numbered(messages()[f"{group}.{name[1:]}"], group, shape))
        elif name in shape.fields:
            found[number] = _reader(name, shape.fields[name].shape)
    return found


def _inlined(readers: Readers) -> Reader:
    return lambda found, wire, value, depth: _read_into(found, bytes_of(wire, value), readers, depth + 1)


def _reader(name: str, shape: Shape) -> Reader:
    item = shape.item
    if shape.form == "list" and item is not None:
        return _list_reader(name, item)
    if shape.form == "map" and item is not None:
        return _map_reader(name, item)
    read = _value_of(shape)

    def put(found: dict[str, Any], wire: int, value: Any, depth: int) -> None:
        single = read(wire, value, depth)
        if single is not None:
            found[name] = single

    return put


def _list_reader(name: str, item: Shape) -> Reader:
    read = _value_of(item)
    packable = item.form in ("int32", "int64")

    def append(found: dict[str, Any], wire: int, value: Any, depth: int) -> None:
        items = found.setdefault(name, [])
        if packable and wire == BYTES:
            items += _packed(value)
        else:
            items.append(read(wire, value, depth))

    return append


def _packed(data: memoryview) -> list[int]:
    """Several numbers in one field."""
    numbers, position = [], 0
    while position < len(data):
        number, position = varint(data, position)
        numbers.append(signed(number))
    return numbers


def _map_reader(name: str, item: Shape) -> Reader:
    read, empty = _value_of(item), _EMPTY.get(item.form, dict)

    def put(found: dict[str, Any], wire: int, value: Any, depth: int) -> None:
        key, member = "", empty()
        for number, inner_wire, inner in fields_of(bytes_of(wire, value)):
            if number == 1:
                key = text_of(bytes_of(inner_wire, inner))
            elif number == 2:
                member = read(inner_wire, inner, depth)
        found.setdefault(name, {})[key] = member

    return put


_EMPTY: Mapping[Form, Callable[[], Any]] = {
    "string": str,
    "bytes": str,
    "int32": int,
    "int64": int,
    "bool": bool,
    "list": list,
    "quantity": lambda: "0",
}


def _value_of(shape: Shape) -> Value:
    """How a single value of a shape is read."""
    struct = shape.type
    if struct is not None:
        return lambda wire, value, depth: _message(bytes_of(wire, value), struct, depth + 1)
    if shape.form == "list" and shape.item is not None:  # A list as a value of a map is a message with a list in it.
        return _wrapped(_list_reader("items", shape.item))
    plain = _NUMBERS.get(shape.form)
    if plain is not None:
        return lambda wire, value, depth: plain(wire, value)
    special = _SPECIAL[shape.form]
    return lambda wire, value, depth: special(bytes_of(wire, value))


def _wrapped(reader: Reader) -> Value:
    def read(wire: int, value: Any, depth: int) -> list[Any]:
        found: dict[str, Any] = {"items": []}
        _read_into(found, bytes_of(wire, value), {1: reader}, depth + 1)
        items: list[Any] = found["items"]
        return items

    return read


# --- values


def _integer(wire: int, value: Any) -> int:
    return signed(number_of(wire, value))


def _double(wire: int, value: Any) -> float:
    if wire != FIXED64:
        raise ProtobufError("a double has the wrong wire type")
    number: float = struct.unpack("<d", value)[0]
    return number


_NUMBERS: Mapping[Form, Callable[[int, Any], Any]] = {
    "int32": _integer,
    "int64": _integer,
    "bool": lambda wire, value: bool(number_of(wire, value)),
    "float64": _double,
}


def _time(data: memoryview) -> str | None:
    moment = _moment(data)
    return time.seconds(moment) if moment is not None else None


def _micro(data: memoryview) -> str | None:
    moment = _moment(data)
    return time.micros(moment) if moment is not None else None


def _moment(data: memoryview) -> datetime | None:
    """None for the zero time, which JSON writes as null."""
    parts = {number: signed(number_of(wire, value)) for number, wire, value in fields_of(data)}
    if not any(parts.values()):
        return None
    try:
        return _EPOCH + timedelta(seconds=parts.get(1, 0), microseconds=parts.get(2, 0) // 1000)
    except OverflowError as error:
        raise ProtobufError("a time is out of range") from error


def _quantity(data: memoryview) -> str:
    return next((text_of(bytes_of(wire, value)) for number, wire, value in fields_of(data) if number == 1), "0")


def _int_or_string(data: memoryview) -> int | str:
    is_text, number, text = False, 0, ""
    for field, wire, value in fields_of(data):
        if field == 1:
            is_text = number_of(wire, value) == 1
        elif field == 2:
            number = signed(number_of(wire, value))
        elif field == 3:
            text = text_of(bytes_of(wire, value))
    return text if is_text else number


def _raw(data: memoryview) -> Any:
    for number, wire, value in fields_of(data):
        if number == 1:
            try:
                return msgspec.json.decode(bytes(bytes_of(wire, value)))
            except (msgspec.DecodeError, RecursionError) as error:
                raise ProtobufError(f"embedded JSON is broken: {error}") from error
    return None


_SPECIAL: Mapping[Form, Callable[[memoryview], Any]] = {
    "string": text_of,
    "bytes": lambda data: base64.b64encode(data).decode(),
    "time": _time,
    "micro-time": _micro,
    "quantity": _quantity,
    "int-or-string": _int_or_string,
    "raw": _raw,
}
