"""Facts about pods that controllers need: active, ready, available, and which pod to delete first."""

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from pybernetes.api.core.pod import Pod, PodCondition
from pybernetes.controllers.times import elapsed, parse

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASE_RANK = {"Pending": 0, "": 1, "Unknown": 1, "Running": 2}


def condition(pod: Pod, type: str) -> PodCondition | None:
    """The condition of a type."""
    for item in pod.status.conditions:
        if item.type == type:
            return item
    return None


def is_active(pod: Pod) -> bool:
    """Whether a pod has neither ended nor is being deleted."""
    return pod.status.phase not in ("Succeeded", "Failed") and not pod.metadata.deletion_timestamp


def is_ready(pod: Pod) -> bool:
    """Whether the Ready condition is True."""
    ready = condition(pod, "Ready")
    return ready is not None and ready.status == "True"


def available_at(pod: Pod, min_ready_seconds: int) -> datetime | None:
    """When the pod becomes available: after being ready for that long. None while it isn't ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "True":
        return None
    since = parse(ready.last_transition_time)
    if min_ready_seconds == 0:
        return since or datetime.fromtimestamp(0).astimezone()
    return None if since is None else since + timedelta(seconds=min_ready_seconds)


def is_available(pod: Pod, min_ready_seconds: int, now: datetime) -> bool:
    """Whether the pod has been ready for at least `min_ready_seconds`."""
    if min_ready_seconds == 0:
        return is_ready(pod)
    when = available_at(pod, min_ready_seconds)
    return when is not None and when <= now


def deletion_rank(pod: Pod, related_on_node: Mapping[str, int], now: datetime) -> tuple[object, ...]:
    """Sort key of the pods to remove when there are too many: the least useful first.

    In turn: not assigned to a node; pending before unknown before running; not ready; a lower deletion cost; more
    pods of the same workload on its node; ready for a shorter time; more restarts; younger. The two ages are
    compared by their order of magnitude, so that any of several pods of similar age may go (LogarithmicScaleDown).
    """
    ready = condition(pod, "Ready")
    is_up = ready is not None and ready.status == "True"
    return (
        bool(pod.spec.node_name),
        _PHASE_RANK.get(pod.status.phase, 2),
        is_up,
        _deletion_cost(pod),
        -related_on_node.get(pod.spec.node_name, 0),
        _magnitude(ready.last_transition_time, now) if is_up and ready else 0,
        -max((status.restart_count for status in pod.status.container_statuses), default=0),
        _magnitude(pod.metadata.creation_timestamp, now),
        pod.metadata.uid,
    )


def _deletion_cost(pod: Pod) -> int:
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def _magnitude(since: str, now: datetime) -> int:
    """The order of magnitude of an age; an absent time counts as the youngest."""
    if not since:
        return -1
    age = elapsed(since, now)
    return int(math.log2(age)) if age >= 1 else 0
