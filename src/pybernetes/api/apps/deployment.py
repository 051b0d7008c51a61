"""Deployment: identical pods, and rolling updates from one version to the next."""

from datetime import datetime
from typing import Annotated

from pybernetes.api import rules
from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.core.pod_defaults import default_pod_spec
from pybernetes.api.core.pod_features import drop_alpha_fields
from pybernetes.api.duration import age
from pybernetes.api.facts import Immutable, ListMap, Optional, Required, RetainKeys
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, Int64, IntOrString, LabelSelector, Object, Struct, Time, always
from pybernetes.api.naming import camel
from pybernetes.api.quantity import canonicalize
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import SCALE, status
from pybernetes.api.tables import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, names_and_images, selector_text
from pybernetes.api.workloads import SCALE_PATHS, SPEC, keep_labels, validate_selector, validate_workload_template


class RollingUpdateDeployment(Struct, kw_only=True):
    """How far an update may exceed or fall below the desired number of pods."""

    max_surge: IntOrString | None = None
    """How many pods, or which percentage, may be added during an update; 25% by default."""
    max_unavailable: IntOrString | None = None
    """How many pods, or which percentage, may be unavailable during an update; 25% by default."""


class DeploymentStrategy(Struct, kw_only=True):
    """How pods are replaced when the template changes."""

    rolling_update: RollingUpdateDeployment | None = None
    """Settings of RollingUpdate."""
    type: str = ""
    """RollingUpdate (default), or Recreate: old pods are deleted before new ones are created."""


class DeploymentSpec(Struct, kw_only=True):
    """The desired state of a Deployment."""

    selector: Annotated[LabelSelector, Required(), Immutable()] = always(LabelSelector)
    """Which pods belong to the Deployment. It can't be changed."""
    template: Annotated[PodTemplateSpec, Required()] = always(PodTemplateSpec)
    """What the pods look like."""
    min_ready_seconds: Int32 | None = None
    """How long a pod must be ready to count as available."""
    paused: bool = False
    """Whether the rollout of template changes is paused."""
    progress_deadline_seconds: Int32 | None = None
    """After how many seconds without progress the condition Progressing becomes False; 600 by default."""
    replicas: Int32 | None = None
    """The desired number of pods; 1 by default."""
    revision_history_limit: Int32 | None = None
    """How many old ReplicaSets are kept for rollback; 10 by default."""
    strategy: Annotated[DeploymentStrategy, RetainKeys()] = always(DeploymentStrategy)
    """How pods are replaced."""


class DeploymentCondition(Struct, kw_only=True):
    """One aspect of a Deployment's present state."""

    last_transition_time: Time = ""
    last_update_time: Time = ""
    message: str = ""
    reason: str = ""
    status: Annotated[str, Optional()] = always(str)
    type: Annotated[str, Optional()] = always(str)


class DeploymentStatus(Struct, kw_only=True):
    """The observed state of a Deployment."""

    available_replicas: Int32 = 0
    """Pods that have been ready for minReadySeconds."""
    collision_count: Int32 | None = None
    conditions: Annotated[list[DeploymentCondition], ListMap("type")] = []
    """Current state: Available, Progressing, ReplicaFailure."""
    observed_generation: Int64 = 0
    """The generation that the controller has processed."""
    ready_replicas: Int32 = 0
    """Pods that are ready."""
    replicas: Int32 = 0
    """The number of pods."""
    terminating_replicas: Int32 | None = None
    unavailable_replicas: Int32 = 0
    """Pods that are missing or not available."""
    updated_replicas: Int32 = 0
    """Pods of the current template."""


class Deployment(Object, kw_only=True):
    """Manages identical pods through ReplicaSets, and updates them gradually."""

    spec: Annotated[DeploymentSpec, Required()] = always(DeploymentSpec)
    """The desired state."""
    status: DeploymentStatus = always(DeploymentStatus)
    """The observed state."""


RECREATE, ROLLING = "Recreate", "RollingUpdate"


def default(obj: Deployment) -> None:
    """One replica, 25% surge and unavailability, ten old ReplicaSets, a progress deadline of ten minutes."""
    spec = obj.spec
    default_pod_spec(spec.template.spec)
    canonicalize(obj)
    if spec.replicas is None:
        spec.replicas = 1
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10
    if spec.progress_deadline_seconds is None:
        spec.progress_deadline_seconds = 600
    spec.strategy.type = spec.strategy.type or ROLLING
    if spec.strategy.type == ROLLING:
        rolling = spec.strategy.rolling_update or RollingUpdateDeployment()
        rolling.max_unavailable = "25%" if rolling.max_unavailable is None else rolling.max_unavailable
        rolling.max_surge = "25%" if rolling.max_surge is None else rolling.max_surge
        spec.strategy.rolling_update = rolling


def validate(obj: Deployment, errors: Errors) -> None:
    """Counts, selector, template and strategy."""
    spec = obj.spec
    rules.not_negative(spec.replicas, SPEC / "replicas", errors)
    selector = validate_selector(spec.selector, errors)
    if selector is not None:
        validate_workload_template(spec.template, selector, "ReplicaSet", errors)
    _strategy(spec.strategy, errors)
    rules.not_negative(spec.min_ready_seconds, SPEC / "minReadySeconds", errors)
    rules.not_negative(spec.revision_history_limit, SPEC / "revisionHistoryLimit", errors)
    deadline = spec.progress_deadline_seconds
    if deadline is not None:
        rules.not_negative(deadline, SPEC / "progressDeadlineSeconds", errors)
        if deadline <= (spec.min_ready_seconds or 0):
            errors.invalid(SPEC / "progressDeadlineSeconds", deadline, "must be greater than minReadySeconds")


def _strategy(strategy: DeploymentStrategy, errors: Errors) -> None:
    path = SPEC / "strategy"
    rolling = strategy.rolling_update
    if strategy.type == RECREATE:
        if rolling is not None:
            text = f"may not be specified when strategy `type` is '{RECREATE}'"
            errors.forbidden(path / "rollingUpdate", text)
    elif strategy.type != ROLLING:
        errors.not_supported(path / "type", strategy.type, [RECREATE, ROLLING])
    elif rolling is None:
        errors.required(path / "rollingUpdate", "this should be defaulted and never be nil")
    else:
        _rolling(rolling, errors)


def _rolling(rolling: RollingUpdateDeployment, errors: Errors) -> None:
    path = SPEC / "strategy" / "rollingUpdate"
    unavailable, surge = rolling.max_unavailable or 0, rolling.max_surge or 0
    rules.int_or_percent(unavailable, path / "maxUnavailable", errors)
    rules.int_or_percent(surge, path / "maxSurge", errors)
    if unavailable in (0, "0%") and surge in (0, "0%"):
        errors.invalid(path / "maxUnavailable", unavailable, "may not be 0 when `maxSurge` is 0")
    rules.not_above_all(unavailable, path / "maxUnavailable", errors)


def validate_status(new: Deployment, old: Deployment, errors: Errors) -> None:
    """No count is negative, and none exceeds the number of replicas."""
    status, path = new.status, Path("status")
    for name in ("replicas", "updated_replicas", "unavailable_replicas", "ready_replicas", "available_replicas"):
        rules.not_negative(getattr(status, name), path / camel(name), errors)
    for name in ("updated_replicas", "ready_replicas", "available_replicas"):
        if getattr(status, name) > status.replicas:
            errors.invalid(path / camel(name), getattr(status, name), "cannot be greater than status.replicas")
    if status.available_replicas > status.ready_replicas:
        text = "cannot be greater than readyReplicas"
        errors.invalid(path / "availableReplicas", status.available_replicas, text)


COLUMNS = (
    NAME,
    Column("Ready", description="How many replicas are ready, of how many."),
    Column("Up-to-date", description="How many replicas are of the current template."),
    Column("Available", description="How many replicas have been ready for minReadySeconds."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
)


def row(obj: Deployment, now: datetime) -> list[Cell]:
    return [
        obj.metadata.name,
        f"{obj.status.ready_replicas}/{obj.spec.replicas or 0}",
        obj.status.updated_replicas,
        obj.status.available_replicas,
        age(obj.metadata.creation_timestamp, now),
        *names_and_images(obj.spec.template.spec),
        selector_text(obj.spec.selector),
    ]


KIND = Kind(
    group="apps",
    version="v1",
    name="Deployment",
    plural="deployments",
    singular="deployment",
    schema=StructSchema(Deployment, default=default, validate=validate),
    short_names=("deploy",),
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
)
