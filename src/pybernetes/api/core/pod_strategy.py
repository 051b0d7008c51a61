"""Which fields of a Pod each writer may set: clients set spec on create; the kubelet sets status afterwards."""

from pybernetes.api.core.affinity import Affinity, PodAffinityTerm
from pybernetes.api.core.container import Container, EphemeralContainer, ResourceRequirements
from pybernetes.api.core.pod_object import Pod
from pybernetes.api.core.pod_spec import PodSpec
from pybernetes.api.core.pod_status import PodCondition, PodStatus
from pybernetes.api.meta import LabelSelector, LabelSelectorRequirement
from pybernetes.api.quantity import value

QOS_RESOURCES = ("cpu", "memory")
DEFAULT_GRACE_SECONDS = 30


def prepare_create(pod: Pod) -> None:
    """Set the phase Pending and the quality-of-service class, and expand `matchLabelKeys` into selectors."""
    pod.status = PodStatus(phase="Pending", qos_class=qos_class(pod.spec))
    if pod.spec.scheduling_gates:
        pod.status.conditions = [
            PodCondition(
                type="PodScheduled",
                status="False",
                reason="SchedulingGated",
                message="Scheduling is blocked due to non-empty scheduling gates",
            )
        ]
    _expand_match_label_keys(pod)


def prepare_status(new: Pod, old: Pod) -> None:
    """Keep what older clients do not send: the quality-of-service class, resource claims, observed generations."""
    now, before = new.status, old.status
    now.qos_class = now.qos_class or before.qos_class
    now.resource_claim_statuses = now.resource_claim_statuses or before.resource_claim_statuses
    now.extended_resource_claim_status = now.extended_resource_claim_status or before.extended_resource_claim_status
    now.observed_generation = now.observed_generation or before.observed_generation
    seen: dict[str, list[int]] = {}
    for condition in reversed(before.conditions):
        seen.setdefault(condition.type, []).append(condition.observed_generation)
    for condition in now.conditions:
        earlier = seen[condition.type].pop() if seen.get(condition.type) else 0
        condition.observed_generation = condition.observed_generation or earlier


def grace_period(pod: Pod, requested: int | None) -> int:
    """Only a pod on a node gets a grace period. A negative one means the shortest possible, one second."""
    if not pod.spec.node_name or pod.status.phase in ("Succeeded", "Failed"):
        return 0
    if requested is not None:
        return requested if requested >= 0 else 1
    if pod.metadata.deletion_timestamp:
        return pod.metadata.deletion_grace_period_seconds or 0
    period = pod.spec.termination_grace_period_seconds
    return DEFAULT_GRACE_SECONDS if period is None else max(1, period) if period < 0 else period


def qos_class(spec: PodSpec) -> str:
    """Guaranteed when every container has limits for CPU and memory and requests just that, BestEffort when none
    asks for anything, Burstable otherwise. The kubelet places the pod's cgroup by it.
    """
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        return _class_of([spec.resources])
    containers: list[Container | EphemeralContainer] = [*spec.containers, *spec.init_containers]
    return _class_of([container.resources for container in containers])


def _class_of(all_resources: list[ResourceRequirements]) -> str:
    asked = False
    guaranteed = True
    for resources in all_resources:
        for name in QOS_RESOURCES:
            limit = resources.limits.get(name, 0)
            request = resources.requests.get(name, limit)
            asked = asked or value(limit) > 0 or value(request) > 0
            if value(limit) <= 0 or value(request) <= 0 or request != limit:
                guaranteed = False
    if not asked:
        return "BestEffort"
    return "Guaranteed" if guaranteed else "Burstable"


def _expand_match_label_keys(pod: Pod) -> None:
    """`matchLabelKeys` selects pods with the same values as this one: write the values into the selectors."""
    labels = pod.metadata.labels
    if pod.spec.affinity is not None:
        for term in _pod_terms(pod.spec.affinity):
            if term.label_selector is not None:
                term.label_selector = _merged(term.label_selector, term.match_label_keys, "In", labels)
                term.label_selector = _merged(term.label_selector, term.mismatch_label_keys, "NotIn", labels)
    for constraint in pod.spec.topology_spread_constraints:
        if constraint.label_selector is not None:
            constraint.label_selector = _merged(constraint.label_selector, constraint.match_label_keys, "In", labels)


def _pod_terms(affinity: Affinity) -> list[PodAffinityTerm]:
    found = []
    for part in (affinity.pod_affinity, affinity.pod_anti_affinity):
        if part is not None:
            found += part.required_during_scheduling_ignored_during_execution
            found += [w.pod_affinity_term for w in part.preferred_during_scheduling_ignored_during_execution]
    return found


def _merged(selector: LabelSelector, keys: list[str], operator: str, labels: dict[str, str]) -> LabelSelector:
    added = [
        LabelSelectorRequirement(key=key, operator=operator, values=[labels[key]]) for key in keys if key in labels
    ]
    if not added:
        return selector
    return LabelSelector(match_labels=selector.match_labels, match_expressions=[*selector.match_expressions, *added])
