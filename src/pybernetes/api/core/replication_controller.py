"""ReplicationController: the predecessor of the ReplicaSet. Its selector is a map of labels."""

from datetime import datetime
from typing import Annotated

from pybernetes.api import rules
from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.core.pod_defaults import default_pod_spec
from pybernetes.api.core.pod_features import drop_alpha_fields
from pybernetes.api.duration import age
from pybernetes.api.facts import Atomic, Default, ListMap
from pybernetes.api.field import Errors
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, Int64, Object, Struct, Time, always
from pybernetes.api.quantity import canonicalize
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import SCALE, status
from pybernetes.api.tables import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, label_map, names_and_images
from pybernetes.api.workloads import SCALE_PATHS, SPEC, keep_labels, validate_replica_counts, validate_workload_template


class ReplicationControllerSpec(Struct, kw_only=True):
    """The desired state."""

    min_ready_seconds: Annotated[Int32 | None, Default(0)] = None
    replicas: Annotated[Int32 | None, Default(1)] = None
    selector: Annotated[dict[str, str], Atomic()] = {}
    template: PodTemplateSpec | None = None


class ReplicationControllerCondition(Struct, kw_only=True):
    """One aspect of a ReplicationController's current state."""

    status: str = always(str)
    type: str = always(str)
    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""


class ReplicationControllerStatus(Struct, kw_only=True):
    """The observed state."""

    replicas: Int32 = always(int)
    available_replicas: Int32 = 0
    conditions: Annotated[list[ReplicationControllerCondition], ListMap("type")] = []
    fully_labeled_replicas: Int32 = 0
    observed_generation: Int64 = 0
    ready_replicas: Int32 = 0


class ReplicationController(Object, kw_only=True):
    """Keeps a number of identical pods running. Superseded by Deployments."""

    spec: ReplicationControllerSpec = always(ReplicationControllerSpec)
    status: ReplicationControllerStatus = always(ReplicationControllerStatus)


def default(obj: ReplicationController) -> None:
    """One replica; selector and labels are the template's labels by default."""
    spec = obj.spec
    if spec.template is not None:
        default_pod_spec(spec.template.spec)
        labels = spec.template.metadata.labels
        spec.selector = spec.selector or dict(labels)
        obj.metadata.labels = obj.metadata.labels or dict(labels)
    canonicalize(obj)
    if spec.replicas is None:
        spec.replicas = 1


def validate(obj: ReplicationController, errors: Errors) -> None:
    """Counts, selector and template."""
    spec = obj.spec
    rules.not_negative(spec.min_ready_seconds, SPEC / "minReadySeconds", errors)
    if not spec.selector:
        errors.required(SPEC / "selector")
    rules.not_negative(spec.replicas, SPEC / "replicas", errors)
    if spec.template is None:
        errors.required(SPEC / "template")
    else:
        validate_workload_template(spec.template, spec.selector, "ReplicationController", errors)


def validate_status(new: ReplicationController, old: ReplicationController, errors: Errors) -> None:
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


def row(obj: ReplicationController, now: datetime) -> list[Cell]:
    template = obj.spec.template
    return [
        obj.metadata.name,
        obj.spec.replicas or 0,
        obj.status.replicas,
        obj.status.ready_replicas,
        age(obj.metadata.creation_timestamp, now),
        *names_and_images(template.spec if template is not None else None),
        label_map(obj.spec.selector),
    ]


def _drop_disabled(obj: ReplicationController) -> None:
    if obj.spec.template is not None:
        drop_alpha_fields(obj.spec.template.spec)


KIND = Kind(
    group="",
    version="v1",
    name="ReplicationController",
    plural="replicationcontrollers",
    singular="replicationcontroller",
    schema=StructSchema(ReplicationController, default=default, validate=validate),
    short_names=("rc",),
    categories=("all",),
    orphans_dependents=True,
    storage="controllers",
    has_generation=True,
    drop_disabled=_drop_disabled,
    subresources=(
        status(prepare=keep_labels, validate=validate_status),
        SCALE,
    ),
    columns=COLUMNS,
    row=row,
    scale=SCALE_PATHS,
    selectable={
        "status.replicas": lambda obj: str(obj.status.replicas),
    },
)
