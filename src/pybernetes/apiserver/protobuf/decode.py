"""A protobuf body as JSON. Pure; driven by the tables of field numbers, with every length checked.

"k8s\\0" + Unknown{typeMeta{apiVersion, kind}, raw: the object's message}
"""

import base64
import struct
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from pybernetes.api import time
from pybernetes.apiserver.protobuf.tables import Field, messages

MAGIC = b"k8s\0"
_MAX_DEPTH = 60
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
#: Versions before v1 that are still taken and have the same fields.
_OLDER = frozenset({("policy/v1beta1", "Eviction")})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Wire = tuple[int, int, Any]
"""(field number, wire type, value: an int, or a memoryview)"""


class ProtobufError(ValueError):
    """The bytes are not such a message."""


def to_json(body: bytes) -> bytes:
    """The object in a request body, as JSON. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    meta, raw = {}, memoryview(b"")
    for number, wire, value in _fields(memoryview(body)[len(MAGIC) :]):
        if number == 1 and wire == _BYTES:
            meta = {n: _text(v) for n, w, v in _fields(value) if w == _BYTES}
        elif number == 2 and wire == _BYTES:
            raw = value
    version, kind = meta.get(1, ""), meta.get(2, "")
    obj = {"apiVersion": version, "kind": kind, **_message(raw, _name(version, kind), 0)}
    return msgspec.json.encode(obj)


def _name(version: str, kind: str) -> str:
    group, slash, _ = version.partition("/")
    known = messages()
    for name in (f"{group.partition('.')[0] if slash else 'core'}.{kind}", f"meta.{kind}"):
        if name in known and (version.rpartition("/")[2] == "v1" or (version, kind) in _OLDER):
            return name
    raise ProtobufError(f'no kind "{kind}" is registered for version "{version}" in protobuf')


def _message(data: memoryview, name: str, depth: int) -> dict[str, Any]:
    if depth > _MAX_DEPTH:
        raise ProtobufError("exceeded max depth")
    table, found = messages()[name], {}
    for number, wire, value in _fields(data):
        field = table.get(number)
        if field is None:
            continue
        if field.name == "~":
            found.update(_message(_bytes(wire, value), field.type, depth + 1))
        elif field.is_map:
            key, item = _entry(_bytes(wire, value), field, depth)
            found.setdefault(field.name, {})[key] = item
        elif field.repeated:
            found.setdefault(field.name, []).extend(_items(field, wire, value, depth))
        else:
            item = _value(field.type, wire, value, depth)
            if item is not None:
                found[field.name] = item
    return found


def _items(field: Field, wire: int, value: Any, depth: int) -> list[Any]:
    """One item of a list, or several numbers packed into one field."""
    if field.type == "i" and wire == _BYTES:
        numbers, position = [], 0
        while position < len(value):
            number, position = _varint(value, position)
            numbers.append(_signed(number))
        return numbers
    return [_value(field.type, wire, value, depth)]


def _entry(data: memoryview, field: Field, depth: int) -> tuple[str, Any]:
    key, item = "", _EMPTY.get(field.type, dict)()
    for number, wire, value in _fields(data):
        if number == 1:
            key = _text(_bytes(wire, value))
        elif number == 2:
            item = _value(field.type, wire, value, depth)
    return key, item


_EMPTY: dict[str, Callable[[], Any]] = {"s": str, "y": str, "i": int, "list": list, "quantity": lambda: "0"}


def _value(kind: str, wire: int, value: Any, depth: int) -> Any:
    if kind == "i":
        return _signed(_number(wire, value))
    if kind == "b":
        return bool(_number(wire, value))
    if kind == "d":
        if wire != _FIXED64:
            raise ProtobufError("a double has the wrong wire type")
        return struct.unpack("<d", value)[0]
    special = _SPECIAL.get(kind)
    if special is not None:
        return special(_bytes(wire, value))
    return _message(_bytes(wire, value), kind, depth + 1)


def _time(data: memoryview) -> str | None:
    moment = _moment(data)
    return time.seconds(moment) if moment is not None else None


def _micro(data: memoryview) -> str | None:
    moment = _moment(data)
    return time.micros(moment) if moment is not None else None


def _moment(data: memoryview) -> datetime | None:
    """None: the zero time, which JSON writes as null."""
    parts = {number: _signed(_number(wire, value)) for number, wire, value in _fields(data)}
    if not any(parts.values()):
        return None
    try:
        return _EPOCH + timedelta(seconds=parts.get(1, 0), microseconds=parts.get(2, 0) // 1000)
    except OverflowError as error:
        raise ProtobufError("a time is out of range") from error


def _quantity(data: memoryview) -> str:
    return next((_text(_bytes(wire, value)) for number, wire, value in _fields(data) if number == 1), "0")


def _int_or_string(data: memoryview) -> int | str:
    is_text, number, text = False, 0, ""
    for field, wire, value in _fields(data):
        if field == 1:
            is_text = _number(wire, value) == 1
        elif field == 2:
            number = _signed(_number(wire, value))
        elif field == 3:
            text = _text(_bytes(wire, value))
    return text if is_text else number


def _raw(data: memoryview) -> Any:
    for number, wire, value in _fields(data):
        if number == 1:
            try:
                return msgspec.json.decode(bytes(_bytes(wire, value)))
            except (msgspec.DecodeError, RecursionError) as error:
                raise ProtobufError(f"embedded JSON is broken: {error}") from error
    return None


def _text(data: memoryview) -> str:
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise ProtobufError("a text is not UTF-8") from error


_SPECIAL: dict[str, Callable[[memoryview], Any]] = {
    "s": _text,
    "y": lambda data: base64.b64encode(data).decode(),
    "time": _time,
    "micro": _micro,
    "quantity": _quantity,
    "intstr": _int_or_string,
    "raw": _raw,
    "list": lambda data: [_text(_bytes(wire, value)) for number, wire, value in _fields(data) if number == 1],
}


# --- the wire


def _fields(data: memoryview) -> Iterator[Wire]:
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ProtobufError("a field has the number 0")
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, position = _varint(data, position)
        elif wire in (_FIXED64, _FIXED32):
            size = 8 if wire == _FIXED64 else 4
        else:
            raise ProtobufError(f"wire type {wire} is not known")
        if position + size > end:
            raise ProtobufError("unexpected EOF")
        yield number, wire, data[position : position + size]
        position += size


def _varint(data: memoryview, position: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if position >= len(data):
            raise ProtobufError("unexpected EOF")
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, position
        shift += 7
    raise ProtobufError("a number is too long")


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= 1 << 63 else number


def _number(wire: int, value: Any) -> int:
    if wire != _VARINT:
        raise ProtobufError("a number has the wrong wire type")
    return int(value)


def _bytes(wire: int, value: Any) -> memoryview:
    if wire != _BYTES:
        raise ProtobufError("a field has the wrong wire type")
    found: memoryview = value
    return found
