"""Times as the API writes them: RFC 3339 in UTC. The current time is always an argument."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache

import msgspec

from pybernetes.api.shape import ANY, Form, Json, Shape, shape_of
from pybernetes.api.walk import Step

_SHAPE = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def seconds(moment: datetime) -> str:
    """A `Time`: `2026-01-02T15:04:05Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def micros(moment: datetime) -> str:
    """A `MicroTime`: `2026-01-02T15:04:05.000000Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


_LAYOUT, _MICRO_LAYOUT = "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05.000000Z07:00"
LAYOUTS: Mapping[Form, str] = {"time": _LAYOUT, "micro-time": _MICRO_LAYOUT}
"""How Go names the format of a time."""


def parse(text: str, layout: str = _LAYOUT) -> datetime:
    """A Time or MicroTime, with any offset and any number of decimals (beyond six they are cut off), in UTC.

    Raises ValueError for anything else; the text names the expected layout as Go does.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError(f'parsing time "{text}" as "{layout}": cannot parse "{text}" as "2006"')
    fraction = shape[1] or ""
    whole = text[:19].upper()
    offset = "+00:00" if shape[2] in "Zz" else shape[2]
    moment = datetime.fromisoformat(f"{whole}{(fraction + '000000')[:7] if fraction else ''}{offset}")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f'parsing time "{text}": out of range') from error


def _seconds_of(text: str) -> str:
    return seconds(parse(text))


def _micros_of(text: str) -> str:
    return micros(parse(text, _MICRO_LAYOUT))


def refuse_empty(data: bytes, struct: type[msgspec.Struct]) -> None:
    """Raise ValueError if a time in the JSON of a struct is the empty string. The struct itself shows it as absent."""
    places = _places(struct)
    if places is not None and places.search(data):
        _refuse_empty(msgspec.json.decode(data), shape_of(struct))


@cache
def _places(struct: type[msgspec.Struct]) -> re.Pattern[bytes] | None:
    """Finds, in JSON, a key of some time in the struct with an empty value."""
    names: set[str] = set()
    seen: set[type[msgspec.Struct]] = set()
    todo = [shape_of(struct)]
    while todo:
        shape = todo.pop()
        if shape.item is not None:
            todo.append(shape.item)
        if shape.type is None or shape.type in seen:
            continue
        seen.add(shape.type)
        for name, field in shape.fields.items():
            if field.shape.form in LAYOUTS:
                names.add(name)
            else:
                todo.append(field.shape)
    return re.compile(rb'"(?:%s)"\s*:\s*""' % "|".join(sorted(names)).encode()) if names else None


def _refuse_empty(value: Json, shape: Shape) -> None:
    if value == "" and shape.form in LAYOUTS:
        parse("", LAYOUTS[shape.form])
    members = value.items() if isinstance(value, dict) else ()
    for key, member in members:
        _refuse_empty(member, shape.child(key) or ANY)
    if isinstance(value, list):
        for item in value:
            _refuse_empty(item, shape.item or ANY)


_STEPS: Mapping[Form, Step] = {"time": _seconds_of, "micro-time": _micros_of}


def step(shape: Shape) -> Step | None:
    """For a `walk`: rewrites a Time or MicroTime in UTC. The step raises ValueError."""
    return _STEPS.get(shape.form)
