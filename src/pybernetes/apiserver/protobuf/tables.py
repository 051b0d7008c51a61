"""The tables of field numbers, read once, when the first protobuf body comes.

A line names a message and its fields: `Name: field=4s other=5*Container labels=11{s ~=1LocalObjectReference`. After
the number stands the type: s text, y bytes, b boolean, i integer, d double, `list` a wrapped list of texts, or the
name of a message (of the same group unless it has a prefix). `*` before it repeats, `{` makes a map from text. The
field `~` has no name in JSON: its members belong to the message around it.
"""

from dataclasses import dataclass
from functools import cache

from pybernetes.apiserver.protobuf import core_a, core_b, groups


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its JSON name, its type, and how it occurs."""

    name: str
    type: str
    repeated: bool = False
    is_map: bool = False


Message = dict[int, Field]


@cache
def messages() -> dict[str, Message]:
    """Every message by `group.Name`."""
    found: dict[str, Message] = {}
    for text in (core_a.TEXT, core_b.TEXT, groups.TEXT):
        group, message = "", {}
        for line in text.splitlines():
            if line.startswith("["):
                group = line.strip("[]")
                continue
            name, colon, fields = line.partition(":")
            if not line.startswith(" ") and colon:
                message = found.setdefault(f"{group}.{name}", {})
            else:
                fields = line
            for field in fields.split():
                number, parsed = _field(field, group)
                message[number] = parsed
    return found


def _field(text: str, group: str) -> tuple[int, Field]:
    name, _, rest = text.partition("=")
    digits = len(rest) - len(rest.lstrip("0123456789"))
    number, kind = int(rest[:digits]), rest[digits:]
    repeated, is_map = kind.startswith("*"), kind.startswith("{")
    kind = kind.lstrip("*{")
    if kind[:1].isupper():
        kind = f"{group}.{kind}"
    return number, Field(name, kind, repeated, is_map)
