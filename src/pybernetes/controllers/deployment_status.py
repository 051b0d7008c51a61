"""The status of a Deployment: figures, and the conditions Available, Progressing and ReplicaFailure.

Pure. `kubectl rollout status` reads the reasons, so they are those of kube-controller-manager.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from pybernetes.api.apps.deployment import Deployment, DeploymentCondition, DeploymentStatus
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.controllers.deployment_scaling import size, wanted
from pybernetes.controllers.percent import max_unavailable
from pybernetes.controllers.times import elapsed, stamp

NEW_SET_CREATED = "NewReplicaSetCreated"
NEW_SET_FOUND = "FoundNewReplicaSet"
NEW_SET_AVAILABLE = "NewReplicaSetAvailable"
SET_UPDATED = "ReplicaSetUpdated"
CREATE_ERROR = "ReplicaSetCreateError"
DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
PAUSED = "DeploymentPaused"
RESUMED = "DeploymentResumed"

#: A deadline of this many seconds means none (the largest int32, as the API documents).
_NO_DEADLINE = 2**31 - 1

Conditions = list[DeploymentCondition]


def make(type: str, status: str, reason: str, message: str, now: datetime) -> DeploymentCondition:
    """A condition with the current time."""
    at = stamp(now)
    return DeploymentCondition(
        type=type, status=status, reason=reason, message=message, last_update_time=at, last_transition_time=at
    )


def find(conditions: Sequence[DeploymentCondition], type: str) -> DeploymentCondition | None:
    """The condition of a type."""
    return next((item for item in conditions if item.type == type), None)


def without(conditions: Sequence[DeploymentCondition], type: str) -> Conditions:
    """The conditions of all other types."""
    return [item for item in conditions if item.type != type]


def put(conditions: Conditions, condition: DeploymentCondition) -> Conditions:
    """Set a condition. An existing one with the same status and reason stays unchanged, with its times."""
    present = find(conditions, condition.type)
    if present and (present.status, present.reason) == (condition.status, condition.reason):
        return conditions
    if present and present.status == condition.status:
        condition = replace(condition, last_transition_time=present.last_transition_time)
    return [*without(conditions, condition.type), condition]


def has_deadline(deployment: Deployment) -> bool:
    """Whether the Deployment has a progress deadline."""
    return deployment.spec.progress_deadline_seconds not in (None, _NO_DEADLINE)


def figures(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """The status except for progress: sums over the ReplicaSets, and the condition Available."""
    up = sum(rs.status.available_replicas for rs in sets)
    if up >= wanted(deployment) - max_unavailable(deployment):
        text = "Deployment has minimum availability."
        condition = make("Available", "True", "MinimumReplicasAvailable", text, now)
    else:
        text = "Deployment does not have minimum availability."
        condition = make("Available", "False", "MinimumReplicasUnavailable", text, now)
    return replace(
        deployment.status,
        observed_generation=deployment.metadata.generation,
        replicas=sum(rs.status.replicas for rs in sets),
        updated_replicas=new.status.replicas if new else 0,
        ready_replicas=sum(rs.status.ready_replicas for rs in sets),
        available_replicas=up,
        unavailable_replicas=max(0, sum(map(size, sets)) - up),
        conditions=put(deployment.status.conditions, condition),
    )


def is_complete(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether all pods are of the new template and available, and no old ones run."""
    want = wanted(deployment)
    return (
        status.updated_replicas == want
        and status.replicas == want
        and status.available_replicas == want
        and status.observed_generation >= deployment.metadata.generation
    )


def is_progressing(deployment: Deployment, status: DeploymentStatus) -> bool:
    """Whether the roll-out has advanced since the last status."""
    before = deployment.status
    return (
        status.updated_replicas > before.updated_replicas
        or status.replicas - status.updated_replicas < before.replicas - before.updated_replicas
        or status.ready_replicas > before.ready_replicas
        or status.available_replicas > before.available_replicas
    )


def timed_out(deployment: Deployment, conditions: Conditions, now: datetime) -> bool:
    """Whether the roll-out has not advanced for longer than the progress deadline."""
    current = find(conditions, "Progressing")
    if current is None or current.reason == NEW_SET_AVAILABLE:
        return False
    if current.reason == DEADLINE_EXCEEDED:
        return True
    return elapsed(current.last_update_time, now) > (deployment.spec.progress_deadline_seconds or 0)


def rollout_status(
    deployment: Deployment, sets: Sequence[ReplicaSet], new: ReplicaSet | None, now: datetime
) -> DeploymentStatus:
    """The complete status during and after a roll-out."""
    status = figures(deployment, sets, new, now)
    conditions = status.conditions
    current = find(conditions, "Progressing")
    settled = current is not None and current.reason == NEW_SET_AVAILABLE and status.replicas == status.updated_replicas
    if not has_deadline(deployment):
        conditions = without(conditions, "Progressing")
    elif not settled:
        conditions = _progress_conditions(deployment, status, conditions, new, now)
    return replace(status, conditions=_failures(conditions, sets, now))


def _progress_conditions(
    deployment: Deployment, status: DeploymentStatus, conditions: Conditions, new: ReplicaSet | None, now: datetime
) -> Conditions:
    subject = f'ReplicaSet "{new.metadata.name}"' if new else f'Deployment "{deployment.metadata.name}"'
    if is_complete(deployment, status):
        text = f"{subject} has successfully progressed."
        return put(conditions, make("Progressing", "True", NEW_SET_AVAILABLE, text, now))
    if is_progressing(deployment, status):
        condition = make("Progressing", "True", SET_UPDATED, f"{subject} is progressing.", now)
        current = find(conditions, "Progressing")
        if current and current.status == "True":
            condition = replace(condition, last_transition_time=current.last_transition_time)
        # Replace it even when only the update time changes: the deadline counts from that time.
        return [*without(conditions, "Progressing"), condition]
    if timed_out(deployment, conditions, now):
        text = f"{subject} has timed out progressing."
        return put(conditions, make("Progressing", "False", DEADLINE_EXCEEDED, text, now))
    return conditions


def _failures(conditions: Conditions, sets: Sequence[ReplicaSet], now: datetime) -> Conditions:
    for rs in sets:
        for item in rs.status.conditions:
            if item.type == "ReplicaFailure":
                return put(conditions, make("ReplicaFailure", item.status, item.reason, item.message, now))
    return without(conditions, "ReplicaFailure")


def pause_conditions(deployment: Deployment, now: datetime) -> Conditions:
    """The conditions after a pause or its end: a paused roll-out does not exceed its deadline."""
    conditions = deployment.status.conditions
    if not has_deadline(deployment):
        return conditions
    current = find(conditions, "Progressing")
    if current is not None and current.reason == DEADLINE_EXCEEDED:
        return conditions
    noted = current is not None and current.reason == PAUSED
    if deployment.spec.paused and not noted:
        return put(conditions, make("Progressing", "Unknown", PAUSED, "Deployment is paused", now))
    if not deployment.spec.paused and noted:
        return put(conditions, make("Progressing", "Unknown", RESUMED, "Deployment is resumed", now))
    return conditions


def next_look(deployment: Deployment, status: DeploymentStatus, now: datetime) -> float | None:
    """Seconds until the deadline is exceeded if nothing changes; None if that can't happen."""
    current = find(status.conditions, "Progressing")
    if current is None or not has_deadline(deployment) or deployment.spec.paused or is_complete(deployment, status):
        return None
    if current.reason in (DEADLINE_EXCEEDED, NEW_SET_AVAILABLE):
        return None
    left = (deployment.spec.progress_deadline_seconds or 0) - elapsed(current.last_update_time, now)
    return max(1.0, left + 1)
