"""The wire format of protobuf: a message as numbered fields, every length checked. Pure."""

from collections.abc import Iterator
from typing import Any

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Wire = tuple[int, int, Any]
"""(field number, wire type, value: an int, or a memoryview)"""


class ProtobufError(ValueError):
    """The bytes are not such a message."""


def fields_of(data: memoryview) -> Iterator[Wire]:
    """The fields of a message in their order. Raises ProtobufError."""
    position, end = 0, len(data)
    while position < end:
        tag, position = varint(data, position)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise ProtobufError("a field has the number 0")
        if wire == VARINT:
            value, position = varint(data, position)
            yield number, wire, value
            continue
        if wire == BYTES:
            size, position = varint(data, position)
        elif wire in (FIXED64, FIXED32):
            size = 8 if wire == FIXED64 else 4
        else:
            raise ProtobufError(f"wire type {wire} is not known")
        if position + size > end:
            raise ProtobufError("unexpected EOF")
        yield number, wire, data[position : position + size]
        position += size


def varint(data: memoryview, position: int) -> tuple[int, int]:
    """(the number at a position, the position after it). Raises ProtobufError."""
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


def signed(number: int) -> int:
    """A 64-bit number in two's complement."""
    return number - (1 << 64) if number >= 1 << 63 else number


def number_of(wire: int, value: Any) -> int:
    """The value of a field that must be a varint. Raises ProtobufError."""
    if wire != VARINT:
        raise ProtobufError("a number has the wrong wire type")
    return int(value)


def bytes_of(wire: int, value: Any) -> memoryview:
    """The value of a field that must be a string or a message. Raises ProtobufError."""
    if wire != BYTES:
        raise ProtobufError("a field has the wrong wire type")
    found: memoryview = value
    return found


def text_of(data: memoryview) -> str:
    """A string. Raises ProtobufError for what is not UTF-8."""
    try:
        return str(data, "utf-8")
    except UnicodeDecodeError as error:
        raise ProtobufError("a text is not UTF-8") from error
