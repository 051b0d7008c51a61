"""ReplicaSet: keep a number of pods of one template running. ReplicationController is the same loop over an older kind.

`excess` decides which pods go, `count` what the status is; the base claims the pods and carries the plan out.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec
from msgspec.structs import replace

from pybernetes.api.apps.replica_set import ReplicaSet, ReplicaSetCondition
from pybernetes.api.core.pod import Pod, PodTemplateSpec
from pybernetes.api.core.replication_controller import ReplicationController, ReplicationControllerCondition
from pybernetes.api.meta import Time
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.config import ReplicaSetConfig
from pybernetes.controllers.ownership import BY_CONTROLLER, controller_of
from pybernetes.controllers.pod_owner import Attempt, Plan, PodOwnerController
from pybernetes.controllers.podcontrol import from_template
from pybernetes.controllers.selectors import contains, is_empty, matches
from pybernetes.controllers.times import stamp
from pybernetes.controllers.types import Context

R = TypeVar("R", ReplicaSet, ReplicationController)
C = TypeVar("C", ReplicaSetCondition, ReplicationControllerCondition)


def excess(active: Sequence[Pod], count: int, related: Iterable[Pod], now: datetime) -> list[Pod]:
    """The pods to delete when there are `count` too many. `related` are all pods of the same workload (of a Deployment
    those of its other ReplicaSets too): nodes with many of them give up theirs first."""
    on_node = Counter(pod.spec.node_name for pod in related)
    return sorted(active, key=lambda pod: podfacts.deletion_rank(pod, on_node, now))[:count]


@dataclass(frozen=True, slots=True)
class Counts:
    """Figures of a status, and the seconds until the next pod becomes available by waiting alone."""

    replicas: int
    fully_labeled: int
    ready: int
    available: int
    next_available: float | None


def count(active: Sequence[Pod], template: PodTemplateSpec, min_ready: int, now: datetime) -> Counts:
    """Count the active pods by their state."""
    labels = template.metadata.labels
    ready = [pod for pod in active if podfacts.is_ready(pod)]
    if min_ready == 0:
        return Counts(len(active), _labeled(active, labels), len(ready), len(ready), None)
    times = [when for pod in ready if (when := podfacts.available_at(pod, min_ready)) is not None]
    waits = [(when - now).total_seconds() for when in times if when > now]
    return Counts(len(active), _labeled(active, labels), len(ready), len(times) - len(waits), min(waits, default=None))


def _labeled(active: Sequence[Pod], labels: dict[str, str]) -> int:
    return sum(contains(pod.metadata.labels, labels) for pod in active)


def failure_conditions(conditions: list[C], make: type[C], attempt: Attempt, now: Time) -> list[C]:
    """The conditions after an attempt. A failed attempt adds ReplicaFailure, a successful one removes it."""
    present = next((item for item in conditions if item.type == "ReplicaFailure"), None)
    if attempt.error is None:
        return conditions if present is None else [item for item in conditions if item is not present]
    if present is not None:
        return conditions
    reason = "FailedCreate" if attempt.plan.create else "FailedDelete"
    text = str(attempt.error)
    result = list(conditions)
    result.append(make(type="ReplicaFailure", status="True", reason=reason, message=text, last_transition_time=now))
    return result


class ReplicaController(PodOwnerController[R]):
    """The loop over either kind; subclasses say where the kinds differ."""

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.burst = context.config.of(ReplicaSetConfig).burst_replicas

    @abstractmethod
    def conditions(self, owner: R, attempt: Attempt, now: Time) -> list[Any]:
        """The owner's conditions after an attempt."""

    def template(self, owner: R) -> PodTemplateSpec:
        """The owner's template."""
        return owner.spec.template or PodTemplateSpec()

    async def sync(self, owner: R, pods: list[Pod]) -> float | None:
        """Bring the number of pods to what is wanted."""
        return await self.apply(owner, pods, self.plan, self.status)

    def plan(self, owner: R, pods: Sequence[Pod]) -> Plan:
        """How to get from the active pods to the desired number."""
        active = [pod for pod in pods if podfacts.is_active(pod)]
        want = 1 if owner.spec.replicas is None else owner.spec.replicas
        reason = f"{want} wanted, {len(active)} active"
        if len(active) <= want:
            return Plan(create=[from_template(self.template(owner), owner)] * (want - len(active)), reason=reason)
        related = self._related(owner, active) if want else active
        return Plan(delete=excess(active, len(active) - want, related, self.context.clock.now()), reason=reason)

    def _related(self, owner: R, active: list[Pod]) -> list[Pod]:
        above = controller_of(owner)
        if above is None:
            return active
        siblings = self.owners.by_index(BY_CONTROLLER, above.uid)
        pods = [pod for one in siblings for pod in self.dependents.by_index(BY_CONTROLLER, one.metadata.uid)]
        return [pod for pod in pods if podfacts.is_active(pod)]

    def status(self, owner: R, pods: Sequence[Pod], attempt: Attempt) -> tuple[msgspec.Struct, float | None]:
        """The figures of the active pods."""
        now = self.context.clock.now()
        active = [pod for pod in pods if podfacts.is_active(pod)]
        counts = count(active, self.template(owner), owner.spec.min_ready_seconds or 0, now)
        status = replace(
            owner.status,
            replicas=counts.replicas,
            fully_labeled_replicas=counts.fully_labeled,
            ready_replicas=counts.ready,
            available_replicas=counts.available,
            observed_generation=owner.metadata.generation,
            conditions=self.conditions(owner, attempt, stamp(now)),
        )
        return cast("msgspec.Struct", status), counts.next_available


class ReplicaSetController(ReplicaController[ReplicaSet]):
    """apps/v1 ReplicaSet."""

    name = "replicaset-controller"
    component = "replicaset-controller"
    owner_type = ReplicaSet
    settings = ReplicaSetConfig

    def selects(self, owner: ReplicaSet, labels: Mapping[str, str]) -> bool:
        """By the set-based selector; an empty one selects nothing."""
        return not is_empty(owner.spec.selector) and matches(owner.spec.selector, labels)

    def conditions(self, owner: ReplicaSet, attempt: Attempt, now: Time) -> list[ReplicaSetCondition]:
        """With ReplicaFailure if the attempt failed."""
        return failure_conditions(owner.status.conditions, ReplicaSetCondition, attempt, now)
