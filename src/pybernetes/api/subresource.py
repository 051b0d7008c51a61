"""Subresources: the endpoints below an object. A kind lists its own, one `Subresource` each.

Most show the object itself and let clients write one part of it, such as /status. The others have a body of another
kind (/scale, /binding) or none at all (/log, /exec); the API server has one file for each of those.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from msgspec.structs import replace

from pybernetes.api.field import Errors
from pybernetes.api.meta import Object

K = TypeVar("K", bound=Object)

READ_WRITE = ("get", "patch", "update")
CREATE = ("create",)
STREAM = ("create", "get")
EVERY_METHOD = ("create", "delete", "get", "patch", "update")


class BodyKind(NamedTuple):
    """The kind of the bodies of an endpoint."""

    group: str
    version: str
    name: str

    @property
    def api_version(self) -> str:
        """`v1`, `autoscaling/v1`"""
        return f"{self.group}/{self.version}" if self.group else self.version


def _nothing(*_: Any) -> None:
    """The default of every hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subresource(Generic[K]):
    """One endpoint below the objects of a kind."""

    name: str
    verbs: tuple[str, ...] = READ_WRITE
    body: BodyKind | None = None
    """the kind of its bodies; None: the object itself"""
    raw: bool = False
    """whether the answer is raw bytes, such as a log, and not an object"""
    has_path: bool = False
    """whether a further path may follow the name"""
    writes_status: bool = False
    """whether the schema restores everything but the status before `prepare` runs"""
    prepare: Callable[[K, K], None] = _nothing
    """(new, old): restore what this endpoint does not write, in place on new"""
    validate: Callable[[K, K, Errors], None] | None = None
    """(new, old, errors); None: the rules for an update of the object"""
    counts: bool = True
    """whether a change of spec through this endpoint raises metadata.generation"""


def status(
    *, prepare: Callable[[K, K], None] = _nothing, validate: Callable[[K, K, Errors], None] = _nothing
) -> Subresource[K]:
    """/status: what controllers and nodes report."""
    return Subresource(name="status", writes_status=True, prepare=prepare, validate=validate)


SCALE: Subresource[Any] = Subresource(name="scale", body=BodyKind("autoscaling", "v1", "Scale"))


def proxy(options: str) -> Subresource[Any]:
    """/proxy: HTTP to what the object stands for. `options` is the kind of its query parameters."""
    return Subresource(name="proxy", verbs=EVERY_METHOD, body=BodyKind("", "v1", options), raw=True, has_path=True)


def keep_metadata(new: Object, old: Object) -> None:
    """Restore all metadata but managedFields: for endpoints that write a part of the spec only."""
    new.metadata = replace(old.metadata, managed_fields=new.metadata.managed_fields)
