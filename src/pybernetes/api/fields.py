"""Field selectors: `status.phase=Running,spec.nodeName!=n1`. Commas, equals signs and backslashes in values are
escaped with a backslash. `Kind.selectable` lists the fields that a kind can be selected by.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.api.labels import SelectorError


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition: `op` is `=` or `!=`."""

    field: str
    op: str
    value: str

    def __str__(self) -> str:
        return f"{self.field}{self.op}{escape(self.value)}"


@lru_cache(maxsize=1024)
def _parse(text: str) -> tuple[Requirement, ...]:
    return tuple(_requirement(text, term) for term in sorted(_terms(text)) if term)


def parse(text: str) -> list[Requirement]:
    """The conditions of a selector, sorted by text. Raises SelectorError."""
    return list(_parse(text))


def _terms(text: str) -> list[str]:
    """Split at commas that no backslash precedes."""
    terms, start, escaped = [], 0, False
    for index, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == ",":
            terms.append(text[start:index])
            start = index + 1
    terms.append(text[start:])
    return terms


def _requirement(text: str, term: str) -> Requirement:
    for index in range(len(term)):
        for op in ("!=", "==", "="):
            if term.startswith(op, index):
                value = unescape(term[index + len(op) :])
                return Requirement(term[:index], "!=" if op == "!=" else "=", value)
    raise SelectorError(f"invalid selector: '{text}'; can't understand '{term}'")


def escape(value: str) -> str:
    """Escape a value for use in a selector."""
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def unescape(value: str) -> str:
    """The inverse of `escape`. Raises SelectorError."""
    found, escaped = [], False
    for char in value:
        if escaped:
            if char not in "\\,=":
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{char}")
            found.append(char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char in ",=":
            raise SelectorError(f"invalid field selector: unescaped character in value: {ord(char)}")
        else:
            found.append(char)
    if escaped:
        raise SelectorError("invalid field selector: invalid escape sequence: \\")
    return "".join(found)


def matcher(kind: Kind[Any], requirements: Iterable[Requirement]) -> Callable[[Any], bool]:
    """A predicate over objects of a kind. Raises SelectorError for a field that the kind can't be selected by."""
    tests: list[tuple[Callable[[Any], str], str, bool]] = []
    for item in requirements:
        getter = _METADATA.get(item.field) or kind.selectable.get(item.field)
        if getter is None:
            raise SelectorError(f"field label not supported: {item.field}")
        tests.append((getter, item.value, item.op == "="))
    return lambda obj: all((getter(obj) == value) is equal for getter, value, equal in tests)


_METADATA: dict[str, Callable[[Any], str]] = {
    "metadata.name": lambda obj: str(obj.metadata.name),
    "metadata.namespace": lambda obj: str(obj.metadata.namespace),
}
