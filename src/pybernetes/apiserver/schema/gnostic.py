"""OpenAPI v2 as protobuf (gnostic's `openapi.v2`), which older versions of kubectl request.

Only encoding, and only the messages that our documents use. A table describes the fields of a message: JSON name ->
(field number, encoder). Keys that begin with `x-` become vendor extensions, as YAML.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Encoder = Callable[[Any], bytes]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _bytes(field: int, value: bytes) -> bytes:
    """A length-delimited field: a string or a message."""
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _text(value: str) -> bytes:
    return value.encode()


def _any(value: Any) -> bytes:
    """gnostic's Any: the value as YAML, of which JSON is a subset."""
    return _bytes(2, msgspec.json.encode(value) + b"\n")


def _named(name: str, value: bytes) -> bytes:
    """NamedSchema, NamedAny, NamedPathItem, ...: in all of them the name is 1 and the value 2."""
    return _bytes(1, name.encode()) + _bytes(2, value)


def _map(field: int, encoder: Encoder) -> Encoder:
    """A message that contains a map as a list of named values."""
    return lambda value: b"".join(_bytes(field, _named(k, encoder(v))) for k, v in value.items())


class _Many:
    """A repeated field."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder = encoder


class _Flag:
    """A boolean field."""


Fields = Mapping[str, tuple[int, Encoder | _Many | _Flag]]


def _message(fields: Fields, extensions: int = 0) -> Encoder:
    """An encoder of dicts by a table of fields; `extensions` is the number of vendor_extension."""

    def encode(value: Mapping[str, Any]) -> bytes:
        out = []
        for key, part in value.items():
            if key.startswith("x-"):
                out.append(_bytes(extensions, _named(key, _any(part))))
                continue
            number, encoder = fields[key]
            if isinstance(encoder, _Many):
                out += [_bytes(number, encoder.encoder(item)) for item in part]
            elif isinstance(encoder, _Flag):
                out.append(_varint(number << 3) + _varint(int(part)))
            else:
                out.append(_bytes(number, encoder(part)))
        return b"".join(out)

    return encode


def _schema(value: Mapping[str, Any]) -> bytes:
    return _SCHEMA(value)


def _type_item(value: str) -> bytes:
    return _bytes(1, value.encode())


def _one(field: int, encoder: Encoder) -> Encoder:
    """A message with one field, such as the arms of a oneof."""
    return lambda value: _bytes(field, encoder(value))


_SCHEMA = _message(
    {
        "$ref": (1, _text),
        "format": (2, _text),
        "title": (3, _text),
        "description": (4, _text),
        "default": (5, _any),
        "required": (19, _Many(_text)),
        "enum": (20, _Many(_any)),
        "additionalProperties": (21, _one(1, _schema)),
        "type": (22, _type_item),
        "items": (23, _one(1, _schema)),
        "allOf": (24, _Many(_schema)),
        "properties": (25, _map(1, _schema)),
    },
    extensions=31,
)

_BODY = _message({"description": (1, _text), "name": (2, _text), "in": (3, _text), "required": (4, _Flag()),
                  "schema": (5, _schema)}, extensions=6)  # fmt: skip
_QUERY = _message({"required": (1, _Flag()), "in": (2, _text), "description": (3, _text), "name": (4, _text),
                   "type": (6, _text), "format": (7, _text), "uniqueItems": (20, _Flag())})  # fmt: skip
_PATH = _message({"required": (1, _Flag()), "in": (2, _text), "description": (3, _text), "name": (4, _text),
                  "type": (5, _text), "format": (6, _text), "uniqueItems": (19, _Flag())})  # fmt: skip


def _parameter(value: Mapping[str, Any]) -> bytes:
    """ParametersItem -> Parameter -> body, or non-body -> query or path."""
    if value["in"] == "body":
        return _bytes(1, _bytes(1, _BODY(value)))
    field, encoder = (3, _QUERY) if value["in"] == "query" else (4, _PATH)
    return _bytes(1, _bytes(2, _bytes(field, encoder(value))))


_RESPONSE = _message({"description": (1, _text), "schema": (2, _one(1, _schema))}, extensions=5)
_RESPONSES = _map(1, _one(1, _RESPONSE))
_OPERATION = _message(
    {
        "tags": (1, _Many(_text)),
        "summary": (2, _text),
        "description": (3, _text),
        "operationId": (5, _text),
        "produces": (6, _Many(_text)),
        "consumes": (7, _Many(_text)),
        "parameters": (8, _Many(_parameter)),
        "responses": (9, _RESPONSES),
        "schemes": (10, _Many(_text)),
    },
    extensions=13,
)
_PATH_ITEM = _message(
    {
        "get": (2, _OPERATION),
        "put": (3, _OPERATION),
        "post": (4, _OPERATION),
        "delete": (5, _OPERATION),
        "patch": (8, _OPERATION),
        "parameters": (9, _Many(_parameter)),
    },
    extensions=10,
)
_API_KEY = _message({"type": (1, _text), "name": (2, _text), "in": (3, _text), "description": (4, _text)})


def _security(value: Mapping[str, Any]) -> bytes:
    """SecurityRequirement: named lists of scopes, which are empty here."""
    return b"".join(_bytes(1, _named(name, b"")) for name in value)


encode_document = _message(
    {
        "swagger": (1, _text),
        "info": (2, _message({"title": (1, _text), "version": (2, _text)})),
        "paths": (8, _map(2, _PATH_ITEM)),
        "definitions": (9, _map(1, _schema)),
        "security": (12, _Many(_security)),
        "securityDefinitions": (13, _map(1, _one(2, _API_KEY))),
    },
    extensions=16,
)
"""A Swagger document (a dict) as the bytes of gnostic's `Document`."""
