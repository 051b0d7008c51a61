"""What the rest of the system needs to know about a kind: one `Kind` per kind, made at the end of the kind's file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pybernetes.api.field import Errors
from pybernetes.api.meta import Object

K = TypeVar("K", bound=Object)

Cell = str | int | float | bool | None
NameRule = Literal["dns-subdomain", "dns-label", "dns-1035-label", "path-segment"]

STANDARD_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a server-printed table; priority 0 always shows, 1 with `-o wide`."""

    name: str
    type: str = "string"
    format: str = ""
    description: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a kind keeps what its `scale` subresource shows."""

    get: Callable[[Any], tuple[int, int, str]]
    """object -> (spec.replicas, status.replicas, label selector as a string)"""
    set: Callable[[Any, int], Any]
    """(object, replicas) -> a changed copy"""


def _nothing(*_: Any) -> None:
    """The default of every hook."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[K]):
    """A kind's names, its struct and its rules. All hooks are pure; those that change an object get a private copy."""

    group: str
    version: str
    name: str
    plural: str
    struct: type[K]
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    storage: str = ""
    """The part of the store's key after /registry/, as the original lays it out; plural by default."""
    stored: bool = True
    """False for kinds that are only asked about, such as SubjectAccessReview."""
    verbs: tuple[str, ...] = STANDARD_VERBS
    name_rule: NameRule = "dns-subdomain"
    subresources: tuple[str, ...] = ()
    """Names beyond the object itself: status, scale, log, exec, binding, eviction, token, ..."""
    has_generation: bool = False
    """Whether a change of spec raises metadata.generation."""
    create_on_update: bool = False
    """Whether PUT to a name that does not exist creates it."""
    columns: tuple[Column, ...] = (
        Column("Name", format="name", description="Name must be unique within a namespace."),
        Column("Age", description="Time since the object was created."),
    )
    row: Callable[[K, datetime], list[Cell]] | None = None
    """object, now -> cells, one per column; None: name and age"""
    default: Callable[[K], None] = _nothing
    """fill in defaults, in place"""
    prepare_create: Callable[[K], None] = _nothing
    """drop what a client may not set at creation (status), in place"""
    prepare_update: Callable[[K, K], None] = _nothing
    """(new, old): keep what a client may not change (status), in place on new"""
    prepare_status: Callable[[K, K], None] = _nothing
    """(new, old): for the status subresource keep everything but status, in place on new"""
    validate: Callable[[K, Errors], None] = _nothing
    validate_update: Callable[[K, K, Errors], None] = _nothing
    """(new, old, errors): immutability and transitions; `validate` has run before"""
    validate_status: Callable[[K, K, Errors], None] = _nothing
    selectable: Mapping[str, Callable[[K], str]] = field(default_factory=dict)
    """field selectors beyond metadata.name and metadata.namespace"""
    scale: ScalePaths | None = None

    @property
    def api_version(self) -> str:
        """`v1`, `apps/v1`"""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """`pods`, `deployments.apps`"""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    @property
    def list_kind(self) -> str:
        """`PodList`"""
        return self.name + "List"

    @property
    def key_prefix(self) -> str:
        """`/registry/pods/`"""
        return f"/registry/{self.storage or self.plural}/"

    def key(self, namespace: str, name: str) -> str:
        """The store's key of one object: `/registry/pods/default/web`"""
        return f"{self.key_prefix}{namespace}/{name}" if self.namespaced else self.key_prefix + name

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path of an object or a collection."""
        base = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        if self.namespaced and namespace:
            base += f"/namespaces/{namespace}"
        return "/".join(p for p in (base, self.plural, name, subresource) if p)
