"""ReplicaSet: a number of identical pods. A Deployment creates one per version of its template."""

from datetime import datetime
from typing import Annotated

from pybernetes.api import rules
from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.core.pod_defaults import default_pod_spec
from pybernetes.api.core.pod_features import drop_alpha_fields
from pybernetes.api.duration import age
from pybernetes.api.facts import Immutable, ListMap, Optional, Required
from pybernetes.api.field import Errors
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, Int64, LabelSelector, Object, Struct, Time, always
from pybernetes.api.quantity import canonicalize
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import SCALE, status
from pybernetes.api.tables import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, names_and_images, selector_text
from pybernetes.api.workloads import (
    SCALE_PATHS,
    SPEC,
    keep_labels,
    validate_replica_counts,
    validate_selector,
    validate_workload_template,
)


class ReplicaSetSpec(Struct, kw_only=True):
    """The desired state."""

    selector: Annotated[LabelSelector, Required(), Immutable()] = always(LabelSelector)
    """Which pods belong to the ReplicaSet. It can't be changed."""
    min_ready_seconds: Int32 | None = None
    """How long a pod must be ready to count as available."""
    replicas: Int32 | None = None
    """The desired number of pods; 1 by default."""
    template: PodTemplateSpec = always(PodTemplateSpec)
    """What the pods look like."""


class ReplicaSetCondition(Struct, kw_only=True):
    """One aspect of a ReplicaSet's present state."""

    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""
    status: Annotated[str, Optional()] = always(str)
    type: Annotated[str, Optional()] = always(str)


class ReplicaSetStatus(Struct, kw_only=True):
    """The observed state."""

    replicas: Int32 = always(int)
    """The number of pods."""
    available_replicas: Int32 = 0
    """Pods that have been ready for minReadySeconds."""
    conditions: Annotated[list[ReplicaSetCondition], ListMap("type")] = []
    fully_labeled_replicas: Int32 = 0
    """Pods with all labels of the template."""
    observed_generation: Int64 = 0
    """The generation that the controller has processed."""
    ready_replicas: Int32 = 0
    """Pods that are ready."""
    terminating_replicas: Int32 | None = None


class ReplicaSet(Object, kw_only=True):
    """Keeps a number of identical pods running."""

    spec: Annotated[ReplicaSetSpec, Required()] = always(ReplicaSetSpec)
    """The desired state."""
    status: ReplicaSetStatus = always(ReplicaSetStatus)
    """The observed state."""


def default(obj: ReplicaSet) -> None:
    """One replica."""
    default_pod_spec(obj.spec.template.spec)
    canonicalize(obj)
    if obj.spec.replicas is None:
        obj.spec.replicas = 1


def validate(obj: ReplicaSet, errors: Errors) -> None:
    """Counts, selector and template."""
    rules.not_negative(obj.spec.replicas, SPEC / "replicas", errors)
    rules.not_negative(obj.spec.min_ready_seconds, SPEC / "minReadySeconds", errors)
    selector = validate_selector(obj.spec.selector, errors)
    if selector is not None:
        validate_workload_template(obj.spec.template, selector, "ReplicaSet", errors)


def validate_status(new: ReplicaSet, old: ReplicaSet, errors: Errors) -> None:
    """No count is negative, and none exceeds the number of replicas."""
    validate_replica_counts(new.status, errors)


COLUMNS = (
    NAME,
    Column("Desired", type="integer", description="The desired number of replicas."),
    Column("Current", type="integer", description="How many replicas exist."),
    Column("Ready", type="integer", description="How many replicas are ready."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
)


def row(obj: ReplicaSet, now: datetime) -> list[Cell]:
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.ready_replicas,
        age(obj.metadata.creation_timestamp, now),
        *names_and_images(obj.spec.template.spec),
        selector_text(obj.spec.selector),
    ]


KIND = Kind(
    group="apps",
    version="v1",
    name="ReplicaSet",
    plural="replicasets",
    singular="replicaset",
    schema=StructSchema(ReplicaSet, default=default, validate=validate),
    short_names=("rs",),
    categories=("all",),
    has_generation=True,
    drop_disabled=lambda obj: drop_alpha_fields(obj.spec.template.spec),
    subresources=(
        status(prepare=keep_labels, validate=validate_status),
        SCALE,
    ),
    validate_update=rules.immutable_fields,
    columns=COLUMNS,
    row=row,
    scale=SCALE_PATHS,
    selectable={"status.replicas": lambda obj: str(obj.status.replicas)},
)
