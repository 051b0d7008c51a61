"""A kind of object: its names, its schema and its strategy. There is one `Kind` at the end of each kind's file."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pybernetes.api.field import Errors
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.api.schema import Schema
from pybernetes.api.subresource import Subresource

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
    """How the `scale` subresource reads and writes the objects of a kind."""

    get: Callable[[Any], tuple[int, int, str]]
    """object -> (spec.replicas, status.replicas, label selector as a string)"""
    set: Callable[[Any, int], Any]
    """(object, replicas) -> a changed copy"""


def _nothing(*_: Any) -> None:
    """The default of every hook."""


def _no_warnings(_: Any, __: Any) -> list[str]:
    return []


def _no_grace(_: Any, __: int | None) -> int:
    return 0


def _always(_: Any) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion(Generic[K]):
    """Converts objects of a served version to the stored version and back. Pure."""

    storage: "Kind[Any]"
    to_storage: Callable[[K], Object]
    from_storage: Callable[[Any], K]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[K]):
    """A kind's names, its schema, and its strategy: whatever is special about it on create, update and delete.

    All hooks are pure; those that change an object get a private copy.
    """

    group: str
    version: str
    name: str
    plural: str
    schema: Schema[K]
    namespaced: bool = True
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    storage: str = ""
    """The part of the store's key after /registry/, as kube-apiserver lays it out; plural by default."""
    deprecated: str = ""
    """a warning that every response about the kind carries"""
    conversion: Conversion[K] | None = None
    """To and from the stored version; None: this is the stored version."""
    stored: bool = True
    """False for kinds that are never stored, such as SubjectAccessReview."""
    verbs: tuple[str, ...] = STANDARD_VERBS
    name_rule: NameRule = "dns-subdomain"
    free_finalizers: bool = False
    """Whether finalizers without a prefix may have any name, as those of custom resources may."""
    subresources: tuple[Subresource[K], ...] = ()
    has_generation: bool = False
    """Whether a change of spec raises metadata.generation."""
    create_on_update: bool = False
    """Whether PUT to a name that does not exist creates it."""
    unconditional_update: bool = True
    """Whether an update may omit the resourceVersion that it started from."""
    status_on_create: bool = False
    """Whether a client may set the status of a new object."""
    pool: str = ""
    """The server's pool from which an object gets addresses or numbers; see `apiserver.pools`."""
    returns_deleted: bool = False
    """Whether DELETE answers with the object that is gone instead of a Status."""
    orphans_dependents: bool = False
    """Whether a deletion without propagationPolicy orphans the dependents."""
    columns: tuple[Column, ...] = (
        Column("Name", format="name", description="Name must be unique within a namespace."),
        Column("Age", description="Time since the object was created."),
    )
    row: Callable[[K, datetime], list[Cell]] | None = None
    """(object, now) -> cells, one per column; None: name and age"""
    prepare_create: Callable[[K], None] = _nothing
    """set what the server decides about a new object, in place; the status is clear already"""
    prepare_update: Callable[[K, K], None] = _nothing
    """(new, old): keep what a client may not change, in place on new; the status is kept already"""
    warnings: Callable[[K, K | None], list[str]] = _no_warnings
    """(new, old or None): what the client is warned about when it writes the object"""
    validate_create: Callable[[K, Errors], None] = _nothing
    """(object, errors): what only a new object may not have; the schema has validated it before"""
    drop_disabled: Callable[[K], None] = _nothing
    """drop fields whose feature is off, in place; after admission, so that managedFields has them"""
    validate_update: Callable[[K, K, Errors], None] = _nothing
    """(new, old, errors): immutability and transitions; the schema has validated `new` before"""
    grace_period: Callable[[K, int | None], int] = _no_grace
    """(object, seconds requested) -> its grace period in seconds; 0: it is removed at once"""
    prepare_delete: Callable[[K], None] = _nothing
    """in place, on an object whose deletion begins"""
    is_finished: Callable[[K], bool] = _always
    """whether nothing but finalizers and the grace period holds back an object that is being deleted"""
    selectable: Mapping[str, Callable[[K], str]] = field(default_factory=dict)
    """field selectors beyond metadata.name and metadata.namespace"""
    scale: ScalePaths | None = None

    @property
    def stored_as(self) -> "Kind[Any]":
        """The kind in the version that is stored."""
        return self.conversion.storage if self.conversion is not None else self

    @property
    def has_status(self) -> bool:
        """Whether the status has its own endpoint."""
        return any(each.writes_status for each in self.subresources)

    def subresource(self, name: str) -> Subresource[K] | None:
        """One of its subresources by name."""
        return next((each for each in self.subresources if each.name == name), None)

    def new(self, metadata: ObjectMeta) -> K:
        """An object of this kind with nothing but metadata."""
        return self.schema.new(self.api_version, self.name, metadata)

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
