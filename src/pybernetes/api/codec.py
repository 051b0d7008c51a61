"""JSON bytes to structs, as strictly as kube-apiserver decodes them and with its error texts.

The fast path is one call of msgspec. A null stands for an absent field in Kubernetes; clients send it rarely, so only
when decoding fails are nulls removed (where the type gives them no meaning) and decoding is tried once more.
"""

from collections.abc import Mapping
from functools import cache
from typing import TypeVar

import msgspec

from pybernetes.api import base64, quantity, time
from pybernetes.api.decode_errors import DecodeError, explain
from pybernetes.api.shape import ANY, Form, Json, Shape, shape_of
from pybernetes.api.walk import Walk

__all__ = ["DecodeError", "decode", "decoder"]

S = TypeVar("S", bound=msgspec.Struct)
_EMPTY = b'""'
Body = bytes | bytearray | memoryview | msgspec.Raw


@cache
def decoder(struct: type[S]) -> msgspec.json.Decoder[S]:
    """The decoder of a type, made once."""
    return msgspec.json.Decoder(struct)


_canonicalize = Walk(lambda shape: time.step(shape) or quantity.step(shape) or base64.step(shape))


def decode(data: Body, struct: type[S]) -> S:
    """A struct from a client's JSON, its times, quantities and bytes in canonical form. Raises DecodeError."""
    obj = _decode(data, struct)
    try:
        if _EMPTY in bytes(data):
            time.refuse_empty(bytes(data), struct)
        _canonicalize(obj)
    except ValueError as error:
        raise DecodeError(str(error)) from None
    return obj


def _decode(data: Body, struct: type[S]) -> S:
    try:
        return decoder(struct).decode(data)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        if b"null" not in bytes(data):
            raise explain(str(error), struct, bytes(data)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"invalid JSON: {error}") from None
    except RecursionError:
        raise DecodeError("exceeded max depth") from None
    return _decode_with_nulls(bytes(data), struct)


def _decode_with_nulls(data: bytes, struct: type[S]) -> S:
    try:
        cleaned = msgspec.json.encode(_without_nulls(msgspec.json.decode(data), shape_of(struct)))
        return decoder(struct).decode(cleaned)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise explain(str(error), struct, cleaned) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"invalid JSON: {error}") from None
    except RecursionError:
        raise DecodeError("exceeded max depth") from None


def _without_nulls(value: Json, shape: Shape) -> Json:
    """The value with nulls removed from structs, and made zero in lists and maps, as Go decodes them."""
    item = shape.item
    if isinstance(value, dict) and shape.form == "struct":
        return {k: _without_nulls(v, shape.child(k) or ANY) for k, v in value.items() if v is not None}
    if isinstance(value, dict) and shape.form == "map" and item is not None:
        return {k: _zero(item) if v is None else _without_nulls(v, item) for k, v in value.items()}
    if isinstance(value, list) and shape.form == "list" and item is not None:
        return [_zero(item) if v is None else _without_nulls(v, item) for v in value]
    return value


_ZEROS: Mapping[Form, Json] = {
    "string": "",
    "bytes": "",
    "time": "",
    "micro-time": "",
    "quantity": "0",
    "int32": 0,
    "int64": 0,
    "float64": 0,
    "bool": False,
}


def _zero(shape: Shape) -> Json:
    if shape.is_compound:
        return [] if shape.form == "list" else {}
    return _ZEROS.get(shape.form)
