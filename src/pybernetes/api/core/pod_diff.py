"""The difference between two specs of a pod, in the text of kube-apiserver: a unified diff of its own structs as JSON.

Only for error messages. Large specs are compared with bounded effort, and long differences are cut.
"""

import re
from collections import Counter
from dataclasses import dataclass
from difflib import Match, SequenceMatcher
from functools import cache
from typing import Any

import msgspec

from pybernetes.api.core.pod_internal import FIELDS
from pybernetes.api.naming import json_names

CONTEXT = 3
MAX_STEPS = 1_000_000
"""Steps of the comparison; what is left after them counts as replaced."""
MAX_SIZE = 128 * 1024
"""Characters of the text."""

ZEROS: dict[str, Any] = {"0": 0, "false": False, "quantity": "0"}
OBJECT_META = ("name", "generate_name", "namespace", "self_link", "uid")
"""The fields of ObjectMeta that come first in Go; ours begins with the resource version."""

_TOKEN = re.compile(r"([*+]?)(\w+)(?::(\w+))?(?:=(\w+))?")


def difference(old: msgspec.Struct, new: msgspec.Struct) -> str:
    """A unified diff of two structs of `FIELDS`."""
    before, after = _lines(old), _lines(new)
    matcher = _BoundedMatcher(None, before, after)
    text: list[str] = []
    size = 0
    for group in matcher.get_grouped_opcodes(CONTEXT):
        first, last = group[0], group[-1]
        text.append(f"@@ -{_range(first[1], last[2])} +{_range(first[3], last[4])} @@\n")
        for tag, start, end, new_start, new_end in group:
            if tag == "equal":
                text += [f" {line}" for line in before[start:end]]
            else:
                text += [f"-{line}" for line in before[start:end]]
                text += [f"+{line}" for line in after[new_start:new_end]]
        size = sum(map(len, text))
        if size > MAX_SIZE:
            return "".join(text)[:MAX_SIZE] + "...\n"
    return "".join(text)


def _range(start: int, end: int) -> str:
    """A range of lines in the unified format, which counts from 1."""
    length = end - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


class _BoundedMatcher(SequenceMatcher[str]):
    """Finds nothing more in common after `MAX_STEPS`. Every search passes all lines of its part of the first text,
    and for each of them the equal lines of the second.
    """

    def __init__(self, isjunk: None, a: list[str], b: list[str]) -> None:
        super().__init__(isjunk, a, b)
        counts = Counter(b)
        popular = len(b) // 100 + 1 if len(b) >= 200 else len(b)  # The superclass ignores lines that are more frequent.
        self._equal = [1 + (counts[line] if counts[line] <= popular else 0) for line in a]
        self._left = MAX_STEPS

    def find_longest_match(self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None) -> Match:
        """As in difflib, within the bound."""
        self._left -= sum(self._equal[alo:ahi])
        if self._left < 0:
            return Match(alo, blo, 0)
        return super().find_longest_match(alo, ahi, blo, bhi)


def _lines(value: msgspec.Struct) -> list[str]:
    text = msgspec.json.format(msgspec.json.encode(_internal(value)), indent=1).decode()
    for char in "<>&\u2028\u2029":  # Go escapes them.
        text = text.replace(char, f"\\u{ord(char):04x}")
    return [f"{line}\n" for line in text.split("\n")]


@dataclass(frozen=True, slots=True)
class _Field:
    """How one field is written. `promoted` fields stand among those of the enclosing struct."""

    name: str
    attribute: str
    zero: Any
    pointer: bool
    promoted: bool


@cache
def _fields(struct: type[msgspec.Struct], name: str) -> tuple[_Field, ...]:
    attributes = {attribute.replace("_", ""): attribute for attribute in struct.__struct_fields__}
    found: list[_Field] = []
    for sign, go_name, attribute, zero in _TOKEN.findall(FIELDS[name]):
        if sign == "+" and not attribute:
            found += _fields(struct, go_name)
        else:
            place = attribute or attributes[go_name.lower()]
            found.append(_Field(go_name, place, ZEROS.get(zero), sign == "*", sign == "+"))
    return tuple(found)


def _internal(value: Any) -> Any:
    """A value as kube-apiserver's own structs have it in JSON."""
    if isinstance(value, msgspec.Struct):
        return _internal_struct(value)
    if isinstance(value, list):
        return [_internal(item) for item in value] or None
    if isinstance(value, dict):
        return dict(sorted(value.items())) or None
    return value


def _internal_struct(value: msgspec.Struct) -> dict[str, Any]:
    struct = type(value)
    if struct.__name__ not in FIELDS:  # a type of its public API: names and omissions as in requests
        return _public(value)
    found: dict[str, Any] = {}
    for field in _fields(struct, struct.__name__):
        content = getattr(value, field.attribute)
        if field.promoted:
            found |= _public(content)
        elif content is None or (field.pointer and not content):
            found[field.name] = field.zero
        else:
            found[field.name] = _internal(content)
    return found


def _public(value: msgspec.Struct) -> dict[str, Any]:
    written: dict[str, Any] = msgspec.to_builtins(value, enc_hook=msgspec.json.decode)  # Raw is JSON
    first = [name for attribute, name in json_names(type(value)).items() if attribute in OBJECT_META]
    return {key: written[key] for key in [*first, *written] if key in written}
