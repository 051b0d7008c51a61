"""What all kinds share: the base of every struct, object metadata, label selectors, Status, options of requests.

Conventions of every type in this package (msgspec structs, JSON names by `naming.camel`):
- an optional string, list or map is `""`, `[]`, `{}` when absent; an optional number, boolean or struct is None;
- a field that Kubernetes always writes has a default made by `always(...)`, which msgspec never leaves out;
- unknown fields are dropped on decoding (pruning); strict field validation looks for them separately;
- objects are shared between readers and are never changed in place; `copy.replace`-like helpers make new ones.
"""

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import msgspec

from pybernetes.api.facts import Atomic, ListMap, ListSet
from pybernetes.api.naming import camel

T = TypeVar("T")

Time = str
"""RFC 3339 in UTC with whole seconds, `2026-01-02T15:04:05Z`; empty when absent."""

MicroTime = str
"""RFC 3339 in UTC with six decimals, `2026-01-02T15:04:05.000000Z`; empty when absent."""

Quantity = str | int | float
"""A resource amount such as `500m`, `1Gi` or 2; see `quantity.py`. Stored in canonical form, as a string."""

IntOrString = int | str
"""A number, or a name or percentage."""


def always(factory: Callable[[], T]) -> Any:
    """A default that is written to JSON even when it is empty: clients rely on seeing the field."""
    return msgspec.field(default_factory=lambda: factory())


class Struct(msgspec.Struct, kw_only=True, omit_defaults=True, rename=camel):
    """Base of all API structs."""


class OwnerReference(Struct, kw_only=True):
    """An object that this one belongs to; the garbage collector deletes what has lost all its owners."""

    api_version: str = always(str)
    kind: str = always(str)
    name: str = always(str)
    uid: str = always(str)
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ManagedFieldsEntry(Struct, kw_only=True):
    """The set of fields that one manager owns (server-side apply)."""

    manager: str = ""
    operation: str = ""
    api_version: str = ""
    time: Time = ""
    fields_type: str = ""
    fields_v1: dict[str, Any] | None = None
    subresource: str = ""


class ObjectMeta(Struct, kw_only=True):
    """Metadata of every stored object.

    `resource_version` comes first, and metadata first in every object after apiVersion and kind: the server writes
    the revision of a commit into the encoded bytes by replacing the first occurrence of the empty field.
    """

    resource_version: str = ""
    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    self_link: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: Time = ""
    deletion_timestamp: Time = ""
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    owner_references: Annotated[list[OwnerReference], ListMap("uid")] = []
    finalizers: Annotated[list[str], ListSet()] = []
    managed_fields: list[ManagedFieldsEntry] = []


class Object(msgspec.Struct, omit_defaults=True, rename=camel):
    """Base of every kind: these three fields are written first, in this order."""

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)


class ListMeta(Struct, kw_only=True):
    """Metadata of a list."""

    resource_version: str = always(str)
    continue_: str = ""
    remaining_item_count: int | None = None
    self_link: str = ""


class LabelSelectorRequirement(Struct, kw_only=True):
    """One expression of a selector; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always(str)
    operator: str = always(str)
    values: Annotated[list[str], Atomic()] = []


class FieldSelectorRequirement(Struct, kw_only=True):
    """One expression over fields; `operator` is In, NotIn, Exists or DoesNotExist."""

    key: str = always(str)
    operator: str = always(str)
    values: Annotated[list[str], Atomic()] = []


class LabelSelector(Struct, kw_only=True):
    """A query over labels: all of `match_labels` and `match_expressions` must hold. Empty selects everything."""

    match_labels: dict[str, str] = {}
    match_expressions: Annotated[list[LabelSelectorRequirement], Atomic()] = []


class Condition(Struct, kw_only=True):
    """One aspect of an object's present state."""

    type: str = always(str)
    status: str = always(str)
    observed_generation: int = 0
    last_transition_time: Time = ""
    reason: str = always(str)
    message: str = always(str)


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
    retry_after_seconds: int = 0


class Status(Struct, kw_only=True):
    """The answer to a request that returns no object, and to every failed one."""

    kind: str = always(lambda: "Status")
    api_version: str = always(lambda: "v1")
    metadata: ListMeta = msgspec.field(default_factory=ListMeta)
    status: str = ""
    message: str = ""
    reason: str = ""
    details: StatusDetails | None = None
    code: int = 0


class Preconditions(Struct, kw_only=True):
    """What must hold for a deletion to be done."""

    uid: str | None = None
    resource_version: str | None = None


class DeleteOptions(Struct, kw_only=True):
    """The body of a DELETE request."""

    kind: str = ""
    api_version: str = ""
    grace_period_seconds: int | None = None
    preconditions: Preconditions | None = None
    orphan_dependents: bool | None = None
    propagation_policy: str | None = None
    dry_run: list[str] = []
    ignore_store_read_error_with_cluster_breaking_potential: bool | None = None
