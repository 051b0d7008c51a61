"""Field paths, and the field errors that a validation collects, with the texts of Kubernetes.

Rules append to an `Errors` and never raise, so a client sees all errors of an object at once.
"""

from dataclasses import dataclass, field
from typing import Any

import msgspec

REQUIRED = "FieldValueRequired"
INVALID = "FieldValueInvalid"
DUPLICATE = "FieldValueDuplicate"
FORBIDDEN = "FieldValueForbidden"
NOT_SUPPORTED = "FieldValueNotSupported"
NOT_FOUND = "FieldValueNotFound"
TOO_LONG = "FieldValueTooLong"
TOO_MANY = "FieldValueTooMany"
TYPE_INVALID = "FieldValueTypeInvalid"
INTERNAL = "InternalError"


class Path(str):
    """The path of a field in an object: `Path("spec") / "containers" @ 0 / "name"` reads `spec.containers[0].name`."""

    __slots__ = ()

    def __truediv__(self, name: str) -> "Path":
        return Path(f"{self}.{name}" if self else name)

    def __matmul__(self, index: int | str) -> "Path":
        return Path(f"{self}[{index}]")


@dataclass(frozen=True, slots=True)
class FieldError:
    """A violated rule: `reason` is the machine-readable cause, `message` the text without the path."""

    path: str
    reason: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def show(value: Any) -> str:
    """A value as Kubernetes prints it in messages: as JSON."""
    return msgspec.json.encode(value).decode()


@dataclass(slots=True)
class Errors:
    """The field errors of one object, in the order in which they were found."""

    items: list[FieldError] = field(default_factory=list)
    later: list[FieldError] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.items or self.later)

    @property
    def last(self) -> "Errors":
        """Collects the errors that come after all others: Kubernetes declares some rules at the type of a field, and
        checks these when it has checked the object otherwise.
        """
        return Errors(self.later)

    @property
    def all(self) -> list[FieldError]:
        """The errors in the order of kube-apiserver."""
        return self.items + self.later

    def _add(self, path: str, reason: str, message: str) -> None:
        self.items.append(FieldError(path, reason, message))

    def required(self, path: str, detail: str = "") -> None:
        """The field must be set."""
        self._add(path, REQUIRED, f"Required value: {detail}" if detail else "Required value")

    def invalid(self, path: str, value: Any, detail: str) -> None:
        """The value violates a rule, which `detail` describes."""
        self._add(path, INVALID, f"Invalid value: {show(value)}: {detail}")

    def type_invalid(self, path: str, value: Any, detail: str) -> None:
        """The value has the wrong type or format."""
        self._add(path, TYPE_INVALID, f"Invalid value: {show(value)}: {detail}")

    def duplicate(self, path: str, value: Any, detail: str = "") -> None:
        """The value must be unique and occurs a second time."""
        self._add(path, DUPLICATE, f"Duplicate value: {show(value)}" + (f": {detail}" if detail else ""))

    def forbidden(self, path: str, detail: str) -> None:
        """The field may not be set or changed."""
        self._add(path, FORBIDDEN, f"Forbidden: {detail}")

    def not_supported(self, path: str, value: Any, allowed: list[str]) -> None:
        """The value is not one of `allowed`."""
        options = ", ".join(show(v) for v in allowed)
        self._add(path, NOT_SUPPORTED, f"Unsupported value: {show(value)}: supported values: {options}")

    def not_found(self, path: str, value: Any, detail: str = "") -> None:
        """The value refers to something that does not exist."""
        self._add(path, NOT_FOUND, f"Not found: {show(value)}{': ' if detail else ''}{detail}")

    def too_long(self, path: str, limit: int) -> None:
        """The value has more than `limit` bytes."""
        self._add(path, TOO_LONG, f"Too long: may not be more than {limit} bytes")

    def too_many(self, path: str, count: int, limit: int) -> None:
        """The list has more than `limit` items."""
        self._add(path, TOO_MANY, f"Too many: {count}: must have at most {limit} items")

    def internal(self, path: str, detail: str) -> None:
        """The check itself failed."""
        self._add(path, INTERNAL, f"Internal error: {detail}")
