"""What all kinds share: the base of every struct, object metadata, label selectors, Status, options of requests.

Conventions of every type in this package (msgspec structs, JSON names by `naming.camel`):
- an optional string, list or map is `""`, `[]`, `{}` when absent; an optional number, boolean or struct is None;
- a field that Kubernetes always writes has a default made by `always(...)`, which msgspec never leaves out;
- unknown fields are dropped on decoding (pruning); strict field validation looks for them separately;
- objects are shared between readers and are never changed in place; `copy.replace`-like helpers make new ones.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from pybernetes.api.facts import Atomic, Binary, DateTime, Definition, Fact, ListMap, ListSet, Optional, Required
from pybernetes.api.naming import camel

T = TypeVar("T")

Time = Annotated[str, DateTime()]
"""RFC 3339 in UTC with whole seconds, `2026-01-02T15:04:05Z`; empty when absent."""

MicroTime = Annotated[str, DateTime(micro=True)]
"""RFC 3339 in UTC with six decimals, `2026-01-02T15:04:05.000000Z`; empty when absent."""

Quantity = str | int | float
"""A resource amount such as `500m`, `1Gi` or 2; see `quantity.py`. Stored in canonical form, as a string."""

Bytes = Annotated[str, Binary()]
"""Bytes, in base64 as JSON has them."""

FieldsV1 = Annotated[msgspec.Raw, Definition("FieldsV1")]
"""A set of fields, as managedFields has it."""

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""Clients in typed languages could not read a number beyond these bounds, so none gets in."""

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

IntOrString = int | str
"""A number, or a name or percentage."""


def always(factory: Callable[[], T], *, name: str | None = None) -> Any:
    """A default that is written to JSON even when it is empty: clients rely on seeing the field."""
    return msgspec.field(default_factory=lambda: factory(), name=name)


def named(name: str, default: Any = "") -> Any:
    """A field whose JSON name is not the camelCase of its Python name; `list` and `dict` stand for empty ones."""
    if default in (list, dict):
        return msgspec.field(name=name, default_factory=default)
    return msgspec.field(name=name, default=default)


class Struct(msgspec.Struct, kw_only=True, omit_defaults=True, rename=camel, gc=False):
    """Base of all API structs.

    They are trees, so reference counts free them; the collector need not look at the many that a cache holds.
    """

    type_facts: ClassVar[tuple[Fact, ...]] = ()
    """Facts that hold wherever the type is used."""


class OwnerReference(Struct, kw_only=True):
    """An object that this one belongs to; the garbage collector deletes what has lost all its owners."""

    type_facts: ClassVar = (Atomic(),)
    api_version: str = always(str)
    """API version of the owner."""
    kind: str = always(str)
    """Kind of the owner."""
    name: str = always(str)
    """Name of the owner."""
    uid: str = always(str)
    """UID of the owner: another object of the same name is another owner."""
    controller: bool | None = None
    """Whether the owner is the one that manages this object."""
    block_owner_deletion: bool | None = None
    """Whether a foreground deletion of the owner waits for this object."""


class ManagedFieldsEntry(Struct, kw_only=True):
    """The set of fields that one manager owns (server-side apply)."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: Time = ""
    fields_type: str = ""
    fields_v1: FieldsV1 = named("fieldsV1", msgspec.Raw(b""))
    """Kept as it came: there are many of these trees, and only the server's field tracking looks into them."""
    subresource: str = ""


class ObjectMeta(Struct, kw_only=True):
    """Metadata of every stored object.

    `resource_version` comes first, and metadata first in every object after apiVersion and kind: the server writes
    the revision of a commit into the encoded bytes by replacing the first occurrence of the empty field.
    """

    resource_version: str = ""
    """The revision at which the object was last changed. Send it back to change only what you have seen."""
    name: str = ""
    """Unique within the namespace among objects of the kind. It can't be changed."""
    generate_name: str = ""
    """The beginning of a name; the server adds five characters if `name` is empty."""
    namespace: str = ""
    """The scope of the name. Empty for cluster-wide objects."""
    self_link: str = ""
    """No longer filled in."""
    uid: str = ""
    """Unique among all objects that ever were; given by the server."""
    generation: Int64 = 0
    """Counts the changes of what is wanted (the spec)."""
    creation_timestamp: Time = ""
    """When the object was created."""
    deletion_timestamp: Time = ""
    """When the object is to be gone. Set by the server on deletion; nothing takes it back."""
    deletion_grace_period_seconds: Int64 | None = None
    """How long the object may take to end."""
    labels: dict[str, str] = {}
    """Keys and values by which objects are selected."""
    annotations: dict[str, str] = {}
    """Keys and values for tools, not for selecting."""
    owner_references: Annotated[list[OwnerReference], ListMap("uid")] = []
    """The objects that this one belongs to; when all are gone, it goes, too."""
    finalizers: Annotated[list[str], ListSet(patch=True)] = []
    """Who has to do something before the object may go."""
    managed_fields: list[ManagedFieldsEntry] = []
    """Which manager owns which fields (server-side apply)."""


class Object(msgspec.Struct, omit_defaults=True, rename=camel, gc=False):
    """Base of every kind: these three fields are written first, in this order."""

    api_version: str = ""
    """The version of the schema that this object is written in."""
    kind: str = ""
    """What the object is."""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    """Name, labels and the like."""


class ShardInfo(Struct, kw_only=True):
    """The part of a sharded list that this is."""

    selector: str = always(str)
    """The shard selector of the request."""


class ListMeta(Struct, kw_only=True):
    """Metadata of a list."""

    resource_version: Annotated[str, Optional()] = always(str)
    continue_: str = ""
    remaining_item_count: Int64 | None = None
    self_link: str = ""
    shard_info: ShardInfo | None = None


class LabelSelectorRequirement(Struct, kw_only=True):
    """One expression of a selector; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always(str)
    """The label."""
    operator: str = always(str)
    """In, NotIn, Exists or DoesNotExist."""
    values: Annotated[list[str], Atomic()] = []
    """The values for In and NotIn."""


class FieldSelectorRequirement(Struct, kw_only=True):
    """One expression over fields; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always(str)
    operator: str = always(str)
    values: Annotated[list[str], Atomic()] = []


class LabelSelector(Struct, kw_only=True):
    """A query over labels: all of `match_labels` and `match_expressions` must hold. Empty selects everything."""

    type_facts: ClassVar = (Atomic(),)
    match_labels: dict[str, str] = {}
    """Labels that must have just these values."""
    match_expressions: Annotated[list[LabelSelectorRequirement], Atomic()] = []
    """Further conditions on labels."""


class Condition(Struct, kw_only=True):
    """One aspect of an object's present state."""

    type: str = always(str)
    """Which aspect this is about."""
    status: str = always(str)
    """True, False or Unknown."""
    observed_generation: Int64 = 0
    """The generation that the condition was judged by."""
    last_transition_time: Annotated[Time, Required()] = ""
    """When the status last changed."""
    reason: str = always(str)
    """Why, in one word for programs."""
    message: str = always(str)
    """Why, in a sentence for people."""


class StatusCause(Struct, kw_only=True):
    """One reason of a failed request: `field` is the path of the offending field."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(Struct, kw_only=True):
    """What a failed request was about."""

    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: list[StatusCause] = []
    retry_after_seconds: Int32 = 0


class Status(Struct, kw_only=True):
    """The answer to a request that returns no object, and to every failed one."""

    kind: Annotated[str, Optional()] = always(lambda: "Status")
    api_version: Annotated[str, Optional()] = always(lambda: "v1")
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    status: str = ""
    message: str = ""
    reason: str = ""
    details: StatusDetails | None = None
    code: Int32 = 0


class Preconditions(Struct, kw_only=True):
    """What must hold for a deletion to be done."""

    uid: str | None = None
    resource_version: str | None = None


class DeleteOptions(Struct, kw_only=True):
    """The body of a DELETE request."""

    kind: str = ""
    api_version: str = ""
    grace_period_seconds: Int64 | None = None
    preconditions: Preconditions | None = None
    orphan_dependents: bool | None = None
    propagation_policy: str | None = None
    dry_run: list[str] = []
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = None
