"""Plain JSON values: copying, comparing, limiting recursion."""

from collections.abc import Callable
from typing import Any, TypeVar

from pybernetes.apiserver.patch.errors import PatchError

Json = Any
"""None, bool, int, float, str, list of Json, or dict from str to Json"""

T = TypeVar("T")


def clone(value: Json) -> Json:
    """A deep copy; about ten times as fast as `copy.deepcopy`, since JSON has no cycles."""
    if isinstance(value, dict):
        return {k: clone(v) if isinstance(v, (dict, list)) else v for k, v in value.items()}
    if isinstance(value, list):
        return [clone(v) if isinstance(v, (dict, list)) else v for v in value]
    return value


def same(a: Json, b: Json) -> bool:
    """Equality of JSON values: true differs from 1, 1 equals 1.0, members of objects have no order."""
    if isinstance(a, bool) or isinstance(b, bool):
        return a is b
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


def scalar_key(value: Json) -> tuple[str, Json]:
    """A scalar as a dictionary key that distinguishes true from 1. Raises PatchError for lists and maps."""
    if isinstance(value, (dict, list)):
        raise PatchError("expected a scalar where a key or an element of a set is compared, got a list or a map", 422)
    return ("bool" if isinstance(value, bool) else "value"), value


def guarded(function: Callable[[], T]) -> T:
    """Run a recursive function. Raises PatchError instead of RecursionError for a value that is nested too deeply."""
    try:
        return function()
    except RecursionError as error:
        raise PatchError("the object or the patch is nested too deeply") from error
