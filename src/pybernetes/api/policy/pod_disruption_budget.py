"""PodDisruptionBudget: how many pods of an application evictions may take at a time.

Evictions ask `status.disruptionsAllowed`, which the disruption controller works out and each eviction lowers by one.
"""

from datetime import datetime
from typing import Annotated

from pybernetes.api import rules
from pybernetes.api.conditions import validate_conditions
from pybernetes.api.duration import age
from pybernetes.api.facts import ListMap, Optional, Replace
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
"""The type of the condition that says whether an eviction would be let through."""
SUFFICIENT_PODS, INSUFFICIENT_PODS, SYNC_FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"
"""Its reasons."""


class PodDisruptionBudgetSpec(Struct, kw_only=True):
    """Which pods, and how many of them must stay or may go."""

    min_available: IntOrString | None = None
    """How many of the pods, or how much of them, must still be available after an eviction."""
    max_unavailable: IntOrString | None = None
    """How many of the pods, or how much of them, may be unavailable after an eviction. Not with minAvailable."""
    selector: Annotated[LabelSelector | None, Replace()] = None
    """Which pods the budget is for. Absent selects none, an empty one all of the namespace."""
    unhealthy_pod_eviction_policy: str | None = None
    """When running pods that are not ready may be evicted: IfHealthyBudget (default), or AlwaysAllow."""


class PodDisruptionBudgetStatus(Struct, kw_only=True):
    """How the pods are, and how many may go now."""

    conditions: Annotated[list[Condition], ListMap("type")] = []
    """Present state: DisruptionAllowed."""
    current_healthy: Annotated[Int32, Optional()] = always(int)
    """Pods that are ready and not about to go."""
    desired_healthy: Annotated[Int32, Optional()] = always(int)
    """How many have to be."""
    disrupted_pods: dict[str, Time] = {}
    """Pods whose eviction was let through and not yet seen by the controller, and when."""
    disruptions_allowed: Annotated[Int32, Optional()] = always(int)
    """How many evictions would be let through now."""
    expected_pods: Annotated[Int32, Optional()] = always(int)
    """How many pods there should be."""
    observed_generation: Int64 = 0
    """The generation that the controller has seen; evictions wait while it lags."""


class PodDisruptionBudget(Object, kw_only=True):
    """Limits how many pods of an application evictions may take at a time."""

    spec: PodDisruptionBudgetSpec = always(PodDisruptionBudgetSpec)
    """Which pods, and how many of them must stay or may go."""
    status: PodDisruptionBudgetStatus = always(PodDisruptionBudgetStatus)
    """How the pods are, and how many may go now."""


def validate(obj: PodDisruptionBudget, errors: Errors) -> None:
    """One of the two limits, in bounds; a selector; a known policy."""
    spec, path = obj.spec, Path("spec")
    if spec.min_available is not None and spec.max_unavailable is not None:
        errors.invalid(path, spec, "minAvailable and maxUnavailable cannot be both set")
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
    """Well-formed conditions, and no count is negative."""
    path = Path("status")
    validate_conditions(new.status.conditions, path / "conditions", errors)
    for name in ("disruptions_allowed", "current_healthy", "desired_healthy", "expected_pods"):
        rules.not_negative(getattr(new.status, name), path / camel(name), errors)


COLUMNS = (
    NAME,
    Column("Min Available", description="How many of the pods must stay available."),
    Column("Max Unavailable", description="How many of the pods may be unavailable."),
    Column("Allowed Disruptions", type="integer", description="How many evictions would be let through now."),
    AGE,
)


def _limit(value: IntOrString | None) -> str:
    return "N/A" if value is None else str(value)


def row(obj: PodDisruptionBudget, now: datetime) -> list[Cell]:
    """The cells of `COLUMNS`."""
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
