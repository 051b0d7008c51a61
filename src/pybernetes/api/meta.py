"""Types that all kinds share: bases of structs, object metadata, label selectors, Status, options of requests.

Conventions of every type in this package (msgspec structs, JSON names by `naming.camel`):
- an optional string, list or map is `""`, `[]`, `{}` when absent; an optional number, boolean or struct is None;
- a field that Kubernetes always writes has a default made by `always(...)`, which msgspec never omits;
- decoding drops unknown fields (pruning); strict field validation finds them separately;
- objects are shared between readers and are never changed in place; use `msgspec.structs.replace`.
"""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, TypeVar

import msgspec

from pybernetes.api.facts import (
    Atomic,
    Binary,
    DateTime,
    Definition,
    Fact,
    GoType,
    ListMap,
    ListSet,
    Optional,
    Required,
)
from pybernetes.api.naming import camel

T = TypeVar("T")

Time = Annotated[str, DateTime()]
"""RFC 3339 in UTC with whole seconds, `2026-01-02T15:04:05Z`; empty when absent."""

MicroTime = Annotated[str, DateTime(micro=True)]
"""RFC 3339 in UTC with six decimals, `2026-01-02T15:04:05.000000Z`; empty when absent."""

UID = Annotated[str, GoType("types.UID")]
"""The identity of an object among all that ever were."""

NullableTime = Annotated[Time | None, Optional()]
"""A Time that is written as null when it is absent, as Go writes a time that is no pointer; its default is `null()`."""

NullableMicroTime = Annotated[MicroTime | None, Optional()]

Quantity = str | int | float
"""A resource amount such as `500m`, `1Gi` or 2; see `quantity.py`. Stored in canonical form, as a string."""

Bytes = Annotated[str, Binary()]
"""Bytes, in base64 as JSON has them."""

FieldsV1 = Annotated[msgspec.Raw, Definition("FieldsV1")]
"""A set of fields, as managedFields has it."""

Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""Numbers out of range are refused: clients in typed languages could not decode them."""

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]

IntOrString = int | str
"""A number, or a string such as a port's name or a percentage."""


def always(factory: Callable[[], T], *, name: str | None = None) -> Any:
    """A default that is written to JSON even when it is empty, because clients rely on the field."""
    return msgspec.field(default_factory=lambda: factory(), name=name)


def null() -> Any:
    """The default of a field that is written as null when it is absent."""
    return msgspec.field(default_factory=_none)


def _none() -> None:
    return None


def named(name: str, default: Any = "") -> Any:
    """A field whose JSON name is not the camelCase of its Python name; `list` and `dict` stand for empty ones."""
    if default in (list, dict):
        return msgspec.field(name=name, default_factory=default)
    return msgspec.field(name=name, default=default)


class Struct(msgspec.Struct, kw_only=True, omit_defaults=True, rename=camel, gc=False):
    """Base of all API structs.

    They are trees, so reference counting frees them: the garbage collector need not traverse the caches.
    """

    type_facts: ClassVar[tuple[Fact, ...]] = ()
    """Facts that hold wherever the type is used."""


class OwnerReference(Struct, kw_only=True):
    """An owner of the object. The garbage collector deletes objects whose owners are all gone."""

    type_facts: ClassVar = (Atomic(),)
    api_version: str = always(str)
    """API version of the owner."""
    kind: str = always(str)
    """Kind of the owner."""
    name: str = always(str)
    """Name of the owner."""
    uid: UID = always(str)
    """UID of the owner, which tells it from another object with the same name."""
    controller: bool | None = None
    """Whether the owner is the controller that manages this object."""
    block_owner_deletion: bool | None = None
    """Whether a foreground deletion of the owner waits for the deletion of this object."""


class ManagedFieldsEntry(Struct, kw_only=True):
    """The set of fields that one manager owns (server-side apply)."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: Time = ""
    fields_type: str = ""
    fields_v1: FieldsV1 = named("fieldsV1", msgspec.Raw(b""))
    """Not decoded: there are many of these trees, and only field management reads them."""
    subresource: str = ""


class ObjectMeta(Struct, kw_only=True):
    """Metadata of every stored object.

    `resource_version` comes first, and metadata first in every object after apiVersion and kind: the server writes
    the revision of a commit into the encoded bytes, at the start of the first `metadata`.
    """

    resource_version: str = ""
    """The revision of the last change. An update that sends it fails if the object has changed since."""
    name: str = ""
    """Unique within the namespace among objects of the kind. It can't be changed."""
    generate_name: str = ""
    """A prefix: if `name` is empty, the server appends five random characters to it."""
    namespace: str = ""
    """The namespace of the object. Empty for cluster-scoped objects."""
    self_link: str = ""
    """Deprecated; always empty."""
    uid: UID = ""
    """Unique among all objects, including deleted ones. Set by the server."""
    generation: Int64 = 0
    """Incremented when the desired state (the spec) changes."""
    creation_timestamp: Time = ""
    """When the object was created."""
    deletion_timestamp: Time = ""
    """When the object will be deleted. Set by the server on a graceful deletion; it cannot be unset."""
    deletion_grace_period_seconds: Int64 | None = None
    """How long a graceful deletion may take."""
    labels: dict[str, str] = {}
    """Keys and values that selectors match."""
    annotations: dict[str, str] = {}
    """Keys and values for tools, which selectors do not match."""
    owner_references: Annotated[list[OwnerReference], ListMap("uid")] = []
    """Objects that this object depends on. It is deleted when all of them are gone."""
    finalizers: Annotated[list[str], ListSet(patch=True)] = []
    """Components that must finish their work before the object is removed."""
    managed_fields: list[ManagedFieldsEntry] = []
    """Which manager owns which fields (server-side apply)."""


class Object(msgspec.Struct, omit_defaults=True, rename=camel, gc=False):
    """Base of every kind: these three fields are written first, in this order."""

    api_version: str = ""
    """The API version of this representation of the object."""
    kind: str = ""
    """The kind of the object."""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    """Name, namespace, labels and other metadata."""


class ShardInfo(Struct, kw_only=True):
    """Describes the shard of a sharded list."""

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
    """A requirement on one label; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always(str)
    """The label."""
    operator: Annotated[str, GoType("v1.LabelSelectorOperator")] = always(str)
    """In, NotIn, Exists or DoesNotExist."""
    values: Annotated[list[str], Atomic()] = []
    """The values for In and NotIn."""


class FieldSelectorRequirement(Struct, kw_only=True):
    """A requirement on one field; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always(str)
    operator: Annotated[str, GoType("v1.FieldSelectorOperator")] = always(str)
    values: Annotated[list[str], Atomic()] = []


class LabelSelector(Struct, kw_only=True):
    """A query over labels: `match_labels` and `match_expressions` must all hold. If empty it selects everything."""

    type_facts: ClassVar = (Atomic(),)
    match_labels: dict[str, str] = {}
    """Labels that must have exactly these values."""
    match_expressions: Annotated[list[LabelSelectorRequirement], Atomic()] = []
    """Further requirements on labels."""


ConditionStatus = Annotated[str, GoType("v1.ConditionStatus")]
"""True, False or Unknown."""


class Condition(Struct, kw_only=True):
    """One aspect of an object's current state."""

    type: str = always(str)
    """The aspect that the condition describes."""
    status: ConditionStatus = always(str)
    """True, False or Unknown."""
    observed_generation: Int64 = 0
    """The generation that the condition was determined for."""
    last_transition_time: Annotated[NullableTime, Required()] = null()
    """When the status last changed."""
    reason: str = always(str)
    """The reason as a CamelCase word, for programs."""
    message: str = always(str)
    """The reason as a sentence, for people."""


class StatusCause(Struct, kw_only=True):
    """One cause of a failed request; `field` is the path of the invalid field."""

    reason: str = ""
    message: str = ""
    field: str = ""


class StatusDetails(Struct, kw_only=True):
    """The object that a failed request referred to, and the causes of the failure."""

    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""
    causes: list[StatusCause] = []
    retry_after_seconds: Int32 = 0


class Status(Struct, kw_only=True):
    """The response to requests that return no object, and to all that fail."""

    kind: Annotated[str, Optional()] = always(lambda: "Status")
    api_version: Annotated[str, Optional()] = always(lambda: "v1")
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    status: str = ""
    message: str = ""
    reason: str = ""
    details: StatusDetails | None = None
    code: Int32 = 0


class Preconditions(Struct, kw_only=True):
    """Conditions that must hold for a deletion."""

    uid: UID | None = None
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
