"""DaemonSet: one pod on every matching node."""

from datetime import datetime
from typing import Annotated

from pybernetes.api import rules
from pybernetes.api.core.pod import PodTemplateSpec
from pybernetes.api.core.pod_defaults import default_pod_spec
from pybernetes.api.core.pod_features import drop_alpha_fields
from pybernetes.api.duration import age
from pybernetes.api.facts import Immutable, ListMap, Optional, Required
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Int32, Int64, IntOrString, LabelSelector, Object, Struct, Time, always
from pybernetes.api.naming import camel
from pybernetes.api.quantity import canonicalize
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import status
from pybernetes.api.tables import AGE, CONTAINERS, IMAGES, NAME, SELECTOR, label_map, names_and_images, selector_text
from pybernetes.api.workloads import SPEC, keep_labels, validate_selector, validate_workload_template


class RollingUpdateDaemonSet(Struct, kw_only=True):
    """How many nodes may have no ready pod, or two pods, during an update."""

    max_surge: IntOrString | None = None
    max_unavailable: IntOrString | None = None


class DaemonSetUpdateStrategy(Struct, kw_only=True):
    """How pods are replaced when the template changes."""

    rolling_update: RollingUpdateDaemonSet | None = None
    type: str = ""


class DaemonSetSpec(Struct, kw_only=True):
    """The desired state of a DaemonSet."""

    selector: Annotated[LabelSelector, Required(), Immutable()] = always(LabelSelector)
    """Which pods belong to the DaemonSet. It can't be changed."""
    template: Annotated[PodTemplateSpec, Required()] = always(PodTemplateSpec)
    """What the pods look like."""
    min_ready_seconds: Int32 | None = None
    """How long a pod must be ready to count as available."""
    revision_history_limit: Int32 | None = None
    """How many old revisions are kept for rollback; 10 by default."""
    update_strategy: DaemonSetUpdateStrategy = always(DaemonSetUpdateStrategy)
    """How pods are replaced."""


class DaemonSetCondition(Struct, kw_only=True):
    """One aspect of a DaemonSet's current state."""

    last_transition_time: Time = ""
    message: str = ""
    reason: str = ""
    status: Annotated[str, Optional()] = always(str)
    type: Annotated[str, Optional()] = always(str)


class DaemonSetStatus(Struct, kw_only=True):
    """The observed state of a DaemonSet."""

    current_number_scheduled: Int32 = always(int)
    """Nodes that run the pod and should run it."""
    desired_number_scheduled: Int32 = always(int)
    """Nodes that should run the pod."""
    number_misscheduled: Int32 = always(int)
    """Nodes that run the pod and should not run it."""
    number_ready: Int32 = always(int)
    """Nodes whose pod is ready."""
    collision_count: Int32 | None = None
    conditions: Annotated[list[DaemonSetCondition], ListMap("type")] = []
    number_available: Int32 = 0
    """Nodes whose pod has been ready for minReadySeconds."""
    number_unavailable: Int32 = 0
    observed_generation: Int64 = 0
    updated_number_scheduled: Int32 = 0
    """Nodes that run a pod of the current template."""


class DaemonSet(Object, kw_only=True):
    """Runs a copy of a pod on every matching node."""

    spec: Annotated[DaemonSetSpec, Required()] = always(DaemonSetSpec)
    """The desired state."""
    status: DaemonSetStatus = always(DaemonSetStatus)
    """The observed state."""


TEMPLATE_GENERATION = "deprecated.daemonset.template.generation"
ON_DELETE, ROLLING = "OnDelete", "RollingUpdate"


def default(obj: DaemonSet) -> None:
    """Update one node at a time, keep ten old revisions."""
    spec = obj.spec
    obj.metadata.annotations.setdefault(TEMPLATE_GENERATION, "0")
    default_pod_spec(spec.template.spec)
    canonicalize(obj)
    if spec.revision_history_limit is None:
        spec.revision_history_limit = 10
    spec.update_strategy.type = spec.update_strategy.type or ROLLING
    if spec.update_strategy.type == ROLLING:
        rolling = spec.update_strategy.rolling_update or RollingUpdateDaemonSet()
        rolling.max_unavailable = 1 if rolling.max_unavailable is None else rolling.max_unavailable
        rolling.max_surge = 0 if rolling.max_surge is None else rolling.max_surge
        spec.update_strategy.rolling_update = rolling


def prepare_create(obj: DaemonSet) -> None:
    """Number the template for clients of the first beta version."""
    obj.metadata.annotations[TEMPLATE_GENERATION] = "1"


def prepare_update(new: DaemonSet, old: DaemonSet) -> None:
    """Clients cannot change the number of the template; it counts the changes."""
    number = old.metadata.annotations.get(TEMPLATE_GENERATION, "0")
    if new.spec.template != old.spec.template and number.isdecimal():
        number = str(int(number) + 1)
    new.metadata.annotations[TEMPLATE_GENERATION] = number


def validate(obj: DaemonSet, errors: Errors) -> None:
    """Selector, template and update strategy."""
    spec = obj.spec
    selector = validate_selector(spec.selector, errors, as_a_whole=False)
    validate_workload_template(spec.template, selector, "DaemonSet", errors)
    rules.not_negative(spec.min_ready_seconds, SPEC / "minReadySeconds", errors)
    _strategy(spec.update_strategy, errors)
    rules.not_negative(spec.revision_history_limit, SPEC / "revisionHistoryLimit", errors)


def _strategy(strategy: DaemonSetUpdateStrategy, errors: Errors) -> None:
    path = SPEC / "updateStrategy"
    if strategy.type == ON_DELETE:
        return
    if strategy.type != ROLLING:
        errors.not_supported(path / "type", strategy.type, [ROLLING, ON_DELETE])
    elif strategy.rolling_update is None:
        errors.required(path / "rollingUpdate")
    else:
        _rolling(strategy.rolling_update, errors)


def _rolling(rolling: RollingUpdateDaemonSet, errors: Errors) -> None:
    path = SPEC / "updateStrategy" / "rollingUpdate"
    unavailable, surge = rolling.max_unavailable or 0, rolling.max_surge or 0
    for name, value in (("maxUnavailable", unavailable), ("maxSurge", surge)):
        rules.int_or_percent(value, path / name, errors)
        rules.not_above_all(value, path / name, errors)
    if unavailable not in (0, "0%") and surge not in (0, "0%"):
        errors.invalid(path / "maxSurge", surge, "may not be set when maxUnavailable is non-zero")
    if unavailable in (0, "0%") and surge in (0, "0%"):
        errors.required(path / "maxUnavailable", "cannot be 0 when maxSurge is 0")


def validate_status(new: DaemonSet, old: DaemonSet, errors: Errors) -> None:
    """No count is negative."""
    for name in DaemonSetStatus.__struct_fields__:
        value = getattr(new.status, name)
        if isinstance(value, int):
            rules.not_negative(value, Path("status") / camel(name), errors)


COLUMNS = (
    NAME,
    Column("Desired", type="integer", description="How many nodes should run the pod."),
    Column("Current", type="integer", description="How many nodes that should run the pod do."),
    Column("Ready", type="integer", description="How many of the pods are ready."),
    Column("Up-to-date", type="integer", description="How many nodes run the current template."),
    Column("Available", type="integer", description="How many pods have been ready for minReadySeconds."),
    Column("Node Selector", description="Which nodes are to run the pod."),
    AGE,
    CONTAINERS,
    IMAGES,
    SELECTOR,
)


def row(obj: DaemonSet, now: datetime) -> list[Cell]:
    status = obj.status
    return [
        obj.metadata.name,
        status.desired_number_scheduled,
        status.current_number_scheduled,
        status.number_ready,
        status.updated_number_scheduled,
        status.number_available,
        label_map(obj.spec.template.spec.node_selector),
        age(obj.metadata.creation_timestamp, now),
        *names_and_images(obj.spec.template.spec),
        selector_text(obj.spec.selector),
    ]


KIND = Kind(
    group="apps",
    version="v1",
    name="DaemonSet",
    plural="daemonsets",
    singular="daemonset",
    schema=StructSchema(DaemonSet, default=default, validate=validate),
    short_names=("ds",),
    categories=("all",),
    has_generation=True,
    prepare_create=prepare_create,
    prepare_update=prepare_update,
    drop_disabled=lambda obj: drop_alpha_fields(obj.spec.template.spec),
    subresources=(status(prepare=keep_labels, validate=validate_status),),
    validate_update=rules.immutable_fields,
    columns=COLUMNS,
    row=row,
)
