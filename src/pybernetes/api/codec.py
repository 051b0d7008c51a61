"""JSON bytes to structs, as strictly as the original and with its texts for what does not fit.

The fast path is one call of msgspec. A null stands for an absent field in Kubernetes; clients send it rarely, so only
when decoding fails are nulls taken out (where the type says that they mean nothing) and decoding tried once more.
"""

import re
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from pybernetes.api import quantity, time
from pybernetes.api.meta import Quantity

S = TypeVar("S", bound=msgspec.Struct)

_INT64 = frozenset(
    (
        *("activeDeadlineSeconds", "terminationGracePeriodSeconds", "deletionGracePeriodSeconds", "seconds"),
        *("gracePeriodSeconds", "tolerationSeconds", "expirationSeconds", "runAsUser", "runAsGroup", "fsGroup"),
        *("supplementalGroups", "observedGeneration", "generation", "sizeBytes", "revision", "capacity"),
    )
)
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

_OUT_OF_BOUNDS = re.compile(r"Expected `int` [<>]= .* - at `\$(.*)`", re.DOTALL)


class DecodeError(ValueError):
    """The bytes are not such an object; the text is what the client is told."""


@cache
def decoder(struct: type[S]) -> msgspec.json.Decoder[S]:
    """The decoder of a type, made once."""
    return msgspec.json.Decoder(struct)


def decode(data: bytes | bytearray | memoryview | msgspec.Raw, struct: type[S]) -> S:
    """A struct from a client's JSON, its times in UTC and its quantities in canonical form. Raises DecodeError."""
    obj = _decode(data, struct)
    try:
        time.canonicalize(obj)
        quantity.canonicalize(obj)
    except ValueError as error:
        raise DecodeError(str(error)) from None
    return obj


def _decode(data: bytes | bytearray | memoryview | msgspec.Raw, struct: type[S]) -> S:
    try:
        return decoder(struct).decode(data)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        if b"null" not in bytes(data):
            raise DecodeError(_explain(str(error), struct)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"invalid JSON: {error}") from None
    except RecursionError:
        raise DecodeError("exceeded max depth") from None
    return _decode_with_nulls(bytes(data), struct)


def _decode_with_nulls(data: bytes, struct: type[S]) -> S:
    try:
        cleaned = _without_nulls(msgspec.json.decode(data), struct)
        return decoder(struct).decode(msgspec.json.encode(cleaned))  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise DecodeError(_explain(str(error), struct)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DecodeError(f"invalid JSON: {error}") from None
    except RecursionError:
        raise DecodeError("exceeded max depth") from None


@cache
def json_hints(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """JSON name of each field of a struct -> its type, without Annotated."""
    hints = get_type_hints(struct)
    return {field.encode_name: hints[field.name] for field in msgspec.structs.fields(struct)}


def _struct_of(hint: Any) -> type[msgspec.Struct] | None:
    for member in get_args(hint) or (hint,):
        if isinstance(member, type) and issubclass(member, msgspec.Struct):
            return member
    return None


def _without_nulls(value: Any, hint: Any) -> Any:
    """The value with nulls taken out of structs, and made zero in lists and maps, as Go's decoder has it."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    struct = _struct_of(hint) if get_origin(hint) not in (list, dict) else None
    if isinstance(value, dict) and struct is not None:
        hints = json_hints(struct)
        return {k: _without_nulls(v, hints.get(k, Any)) for k, v in value.items() if v is not None}
    if isinstance(value, dict) and get_origin(hint) is dict:
        item = get_args(hint)[1]
        return {k: _zero(item) if v is None else _without_nulls(v, item) for k, v in value.items()}
    if isinstance(value, list) and get_origin(hint) is list:
        item = get_args(hint)[0]
        return [_zero(item) if v is None else _without_nulls(v, item) for v in value]
    return value


def _zero(hint: Any) -> Any:
    if get_origin(hint) is list:
        return []
    if get_origin(hint) is dict or _struct_of(hint) is not None:
        return {}
    return {str: "", int: 0, bool: False, Quantity: "0"}.get(hint)


# --- texts


def _explain(text: str, struct: type[msgspec.Struct]) -> str:
    """msgspec's complaint in the words of Go's decoder."""
    match = _MISMATCH.match(text)
    bound = _OUT_OF_BOUNDS.match(text)
    if match is not None:
        expected, got, path = match.groups()
    elif bound is not None:
        expected, got, path = "int", "int", bound[1]
    else:
        return f"json: {text}"
    kind = _KINDS_OF_JSON.get(got, got)
    owner, steps, hint = _locate(struct, path or "")
    last = steps[-1] if steps else ""
    if not steps:
        return f"json: cannot unmarshal {kind} into Go value of type v1.{struct.__name__}"
    return f"json: cannot unmarshal {kind} into Go struct field {owner}.{'.'.join(steps)} of type " + _go_type(
        hint, last, expected
    )


def _locate(struct: type[msgspec.Struct], path: str) -> tuple[str, list[str], Any]:
    """(innermost struct's name, field names without indexes, the type expected there) of `.spec.ports[0].port`."""
    owner, steps = struct.__name__, list[str]()
    hint: Any = struct
    for name, index in re.findall(r"\.([^.\[]+)|\[([^\]]*)\]", path):
        if get_origin(hint) is Annotated:
            hint = get_args(hint)[0]
        if index:
            members = get_args(hint)
            hint = members[-1] if members else Any
            continue
        steps.append(name)
        inner = _struct_of(hint)
        if inner is None:
            continue
        owner, hint = inner.__name__, json_hints(inner).get(name, Any)
    return owner, steps, hint


def _go_type(hint: Any, name: str, expected: str) -> str:
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    if get_origin(hint) is list:
        return "[]" + _go_type(get_args(hint)[0], name, "")
    if get_origin(hint) is dict:
        return "map[string]" + _go_type(get_args(hint)[1], name, "")
    struct = _struct_of(hint)
    if struct is not None:
        return f"v1.{struct.__name__}"
    members = set(get_args(hint) or (hint,)) - {type(None)}
    if members == {str}:
        return "string"
    if members == {bool}:
        return "bool"
    if members == {int}:
        return "int64" if name in _INT64 else "int32"
    if members == {int, str}:
        return "intstr.IntOrString"
    return "resource.Quantity" if members == set(get_args(Quantity)) else expected
