"""Points in time as the API writes them: RFC 3339 in UTC. The clock itself is always passed in."""

import re
from datetime import UTC, datetime

_SHAPE = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


def seconds(moment: datetime) -> str:
    """A `Time`: `2026-01-02T15:04:05Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micros(moment: datetime) -> str:
    """A `MicroTime`: `2026-01-02T15:04:05.000000Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse(text: str) -> datetime:
    """A Time or MicroTime, with any offset and any number of decimals (beyond six they are cut off), in UTC.

    Raises ValueError for anything else.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse it')
    fraction = shape[1] or ""
    whole = text[:19].upper()
    offset = "+00:00" if shape[2] in "Zz" else shape[2]
    return datetime.fromisoformat(f"{whole}{(fraction + '000000')[:7] if fraction else ''}{offset}").astimezone(UTC)
