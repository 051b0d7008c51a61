"""Whether a pod's disruption budget lets it be evicted. Pure.

A budget protects ready pods. Evicting a pod that has ended, is being deleted or has not started costs nothing. Evicting
a running pod that is not ready costs nothing if enough other pods are healthy, or if the budget's policy allows it.
"""

from pybernetes.api import labels
from pybernetes.api.conditions import find, with_condition
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Condition, StatusCause, Time
from pybernetes.api.policy.pod_disruption_budget import (
    ALWAYS_ALLOW,
    DISRUPTION_ALLOWED,
    INSUFFICIENT_PODS,
    SYNC_FAILED,
    PodDisruptionBudget,
)
from pybernetes.apiserver import errors
from pybernetes.client.errors import ApiError

MAX_DISRUPTED_PODS = 2000
"""The number of evictions that the controller may not have seen yet. If there are more, it is probably not running."""
SEVERAL = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
_CAUSE = "DisruptionBudget"
_WOULD_VIOLATE = "Cannot evict pod as it would violate the pod's disruption budget."
_PROCESSING_RETRY = 10


def has_ended(pod: Pod) -> bool:
    """Whether the pod has ended or is being deleted."""
    return pod.status.phase in ("Succeeded", "Failed") or bool(pod.metadata.deletion_timestamp)


def is_unprotected(pod: Pod) -> bool:
    """Whether no budget protects the pod in its present state."""
    return has_ended(pod) or pod.status.phase == "Pending"


def selects(budget: PodDisruptionBudget, pod: Pod) -> bool:
    """Whether the budget applies to this pod.

    As in kube-apiserver, a budget with an invalid selector applies to no pod, and no budget to a pod without labels.
    """
    try:
        return bool(pod.metadata.labels) and labels.from_label_selector(budget.spec.selector).matches(
            pod.metadata.labels
        )
    except labels.SelectorError:
        return False


def costs_nothing(pod: Pod, budget: PodDisruptionBudget) -> bool:
    """Whether a running pod may be evicted without being counted: it is not ready, and the budget does not need it."""
    if any(item.type == "Ready" and item.status == "True" for item in pod.status.conditions):
        return False
    status = budget.status
    if budget.spec.unhealthy_pod_eviction_policy == ALWAYS_ALLOW:
        return True
    return status.current_healthy >= status.desired_healthy > 0


def still_processing(name: str) -> ApiError:
    """429: the controller has not caught up with the budget, or the pod has changed in the meantime."""
    text = f"The disruption budget {name} is still being processed by the server."
    return _too_many(text, _PROCESSING_RETRY)


def refusal(budget: PodDisruptionBudget) -> ApiError | None:
    """Why no pod of the budget may be evicted now; None if one may."""
    name, status = budget.metadata.name, budget.status
    if status.observed_generation < budget.metadata.generation:
        return still_processing(name)
    if status.disruptions_allowed < 0:
        return errors.forbidden("policy", "poddisruptionbudget", name, "pdb disruptions allowed is negative")
    if len(status.disrupted_pods) > MAX_DISRUPTED_PODS:
        why = "DisruptedPods map too big - too many evictions not confirmed by PDB controller"
        return errors.forbidden("policy", "poddisruptionbudget", name, why)
    return _too_many(_spent(budget), 0) if status.disruptions_allowed == 0 else None


def _spent(budget: PodDisruptionBudget) -> str:
    """Why no disruption is allowed. A failed sync comes first: the counts can't be trusted then."""
    name, status = budget.metadata.name, budget.status
    condition = find(status.conditions, DISRUPTION_ALLOWED)
    known = condition is not None and condition.status == "False" and bool(condition.message)
    if condition is not None and known and condition.reason == SYNC_FAILED:
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: "
            f"{condition.message}"
        )
    if status.current_healthy <= status.desired_healthy:
        return (
            f"The disruption budget {name} needs {status.desired_healthy} healthy pods "
            f"and has {status.current_healthy} currently"
        )
    text = f"The disruption budget {name} does not allow evicting pods currently"
    return f"{text} ({condition.reason}): {condition.message}" if condition is not None and known else text


def _too_many(text: str, retry: int) -> ApiError:
    return errors.too_many_requests(_WOULD_VIOLATE, retry, causes=[StatusCause(reason=_CAUSE, message=text)])


def spend(budget: PodDisruptionBudget, pod: str, now: Time) -> None:
    """Count an eviction, in place: one disruption less is allowed, and the pod is recorded in disruptedPods.

    The controller does not count the pods in disruptedPods as healthy.
    """
    status = budget.status
    status.disruptions_allowed -= 1
    status.disrupted_pods = {**status.disrupted_pods, pod: now}
    if status.disruptions_allowed == 0:
        condition = Condition(
            type=DISRUPTION_ALLOWED,
            status="False",
            reason=INSUFFICIENT_PODS,
            observed_generation=status.observed_generation,
        )
        status.conditions = with_condition(status.conditions, condition, now)
