"""JSON without the `json` package, whose import (because of `re`) would take half of a plugin's start-up time.

Reading uses the C scanner on which `json` is built. Writing keeps the order of keys, or sorts them. Both follow
RFC 8259.
"""

from __future__ import annotations

from _json import encode_basestring, make_scanner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Json = dict[str, Any]
    """A JSON object."""

_BLANK = " \t\r\n"


class _Context:
    """The attributes that the C scanner expects of its decoder."""

    strict = False  # accept control characters in strings
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}

    @staticmethod
    def parse_constant(name: str) -> float:
        raise ValueError(f"{name} is not JSON")


def loads(data: bytes) -> Any:
    """The value in `data`. Raises ValueError if it is not exactly one JSON text."""
    text = data.decode().removeprefix("\ufeff")
    start = len(text) - len(text.lstrip(_BLANK))
    try:
        value, end = make_scanner(_Context)(text, start)  # type: ignore[arg-type]
    except StopIteration as stop:
        raise ValueError(f"not JSON at character {stop.value}") from None
    except SystemError:
        # The scanner gets the text of its error from the `json` package, and fails if that is not loaded.
        import json

        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON nested too deeply") from None
    rest = text[end:].strip(_BLANK)
    if rest:
        raise ValueError(f"more than one JSON text: {rest[:20]!r} follows")
    return value


def dumps(value: Any, sort: bool = False) -> str:
    """Compact JSON."""
    if isinstance(value, str):
        return encode_basestring(value)
    if value is True:
        return "true"
    if value is False:
        return "false"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, dict):
        items = sorted(value.items()) if sort else value.items()
        return "{" + ",".join([f"{encode_basestring(k)}:{dumps(v, sort)}" for k, v in items]) + "}"
    return "[" + ",".join([dumps(item, sort) for item in value]) + "]"
