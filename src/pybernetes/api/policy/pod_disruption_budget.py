"""PodDisruptionBudget: how many pods of an application may be evicted at a time.

The disruption controller computes `status.disruptionsAllowed`; each eviction lowers it by one.
"""

from datetime import datetime
from typing import Annotated

from pybernetes.api import rules
from pybernetes.api.conditions import validate_conditions
from pybernetes.api.duration import age
from pybernetes.api.facts import GoType, ListMap, Optional, Replace
from pybernetes.api.field import Errors, Path
from pybernetes.api.kind import Cell, Column, Kind
from pybernetes.api.meta import Condition, Int32, Int64, IntOrString, LabelSelector, Object, Struct, Time, always
from pybernetes.api.naming import camel
from pybernetes.api.schema import StructSchema
from pybernetes.api.subresource import status
from pybernetes.api.tables import AGE, NAME
from pybernetes.api.workloads import keep_labels

IF_HEALTHY_BUDGET, ALWAYS_ALLOW = "IfHealthyBudget", "AlwaysAllow"

DISRUPTION_ALLOWED = "DisruptionAllowed"
"""The type of the condition that reports whether an eviction would be allowed."""
SUFFICIENT_PODS, INSUFFICIENT_PODS, SYNC_FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"
"""Its reasons."""


class PodDisruptionBudgetSpec(Struct, kw_only=True):
    """The pods, and how many must stay available or may be unavailable."""

    min_available: IntOrString | None = None
    """How many pods, or which percentage, must be available after an eviction."""
    max_unavailable: IntOrString | None = None
    """How many pods, or which percentage, may be unavailable after an eviction. Excludes minAvailable."""
    selector: Annotated[LabelSelector | None, Replace()] = None
    """The pods that the budget covers. If absent it selects none, if empty all pods of the namespace."""
    unhealthy_pod_eviction_policy: Annotated[str | None, GoType("v1.UnhealthyPodEvictionPolicyType")] = None
    """When running pods that are not ready may be evicted: IfHealthyBudget (default), or AlwaysAllow."""


class PodDisruptionBudgetStatus(Struct, kw_only=True):
    """The observed state: healthy pods, and how many disruptions are allowed."""

    conditions: Annotated[list[Condition], ListMap("type")] = []
    """Current state: DisruptionAllowed."""
    current_healthy: Annotated[Int32, Optional()] = always(int)
    """Pods that are ready and not being deleted."""
    desired_healthy: Annotated[Int32, Optional()] = always(int)
    """The minimum number of healthy pods."""
    disrupted_pods: dict[str, Time] = {}
    """Pods whose eviction was allowed, and when; the controller has not observed their deletion yet."""
    disruptions_allowed: Annotated[Int32, Optional()] = always(int)
    """How many evictions are allowed now."""
    expected_pods: Annotated[Int32, Optional()] = always(int)
    """The number of pods that the budget covers."""
    observed_generation: Int64 = 0
    """The generation that the controller has processed; evictions are refused while it lags behind."""


class PodDisruptionBudget(Object, kw_only=True):
    """Limits how many pods of an application may be evicted at a time."""

    spec: PodDisruptionBudgetSpec = always(PodDisruptionBudgetSpec)
    """The pods, and how many must stay available or may be unavailable."""
    status: PodDisruptionBudgetStatus = always(PodDisruptionBudgetStatus)
    """The observed state: healthy pods, and how many disruptions are allowed."""


def validate(obj: PodDisruptionBudget, errors: Errors) -> None:
    """At most one of the two limits, within bounds, a valid selector and a known policy."""
    spec, path = obj.spec, Path("spec")
    if spec.min_available is not None and spec.max_unavailable is not None:
        shown = {
            "MinAvailable": spec.min_available,
            "Selector": spec.selector,
            "MaxUnavailable": spec.max_unavailable,
            "UnhealthyPodEvictionPolicy": spec.unhealthy_pod_eviction_policy,
        }
        errors.invalid(path, shown, "minAvailable and maxUnavailable cannot be both set")
    for name in ("min_available", "max_unavailable"):
        value = getattr(spec, name)
        if value is not None:
            rules.int_or_percent(value, path / camel(name), errors)
            rules.not_above_all(value, path / camel(name), errors)
    if spec.selector is not None:
        rules.label_selector(spec.selector, path / "selector", errors)
    policy = spec.unhealthy_pod_eviction_policy
    if policy is not None and policy not in (ALWAYS_ALLOW, IF_HEALTHY_BUDGET):
        errors.not_supported(path / "unhealthyPodEvictionPolicy", policy, [ALWAYS_ALLOW, IF_HEALTHY_BUDGET])


def validate_status(new: PodDisruptionBudget, old: PodDisruptionBudget, errors: Errors) -> None:
    """Conditions are valid, and no count is negative."""
    path = Path("status")
    validate_conditions(new.status.conditions, path / "conditions", errors)
    for name in ("disruptions_allowed", "current_healthy", "desired_healthy", "expected_pods"):
        rules.not_negative(getattr(new.status, name), path / camel(name), errors)


COLUMNS = (
    NAME,
    Column("Min Available", description="How many of the pods must stay available."),
    Column("Max Unavailable", description="How many of the pods may be unavailable."),
    Column("Allowed Disruptions", type="integer", description="How many evictions are allowed now."),
    AGE,
)


def _limit(value: IntOrString | None) -> str:
    return "N/A" if value is None else str(value)


def row(obj: PodDisruptionBudget, now: datetime) -> list[Cell]:
    return [
        obj.metadata.name,
        _limit(obj.spec.min_available),
        _limit(obj.spec.max_unavailable),
        obj.status.disruptions_allowed,
        age(obj.metadata.creation_timestamp, now),
    ]


KIND = Kind(
    group="policy",
    version="v1",
    name="PodDisruptionBudget",
    plural="poddisruptionbudgets",
    singular="poddisruptionbudget",
    schema=StructSchema(PodDisruptionBudget, validate=validate),
    short_names=("pdb",),
    has_generation=True,
    subresources=(status(prepare=keep_labels, validate=validate_status),),
    columns=COLUMNS,
    row=row,
)
