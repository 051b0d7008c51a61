"""ReplicaSet: keep a number of pods of one template running. ReplicationController is the same loop over an older kind.

Pure: `plan` says which pods to create and delete, `status_of` what the status is. The shell claims the pods by label
selector and controller reference, carries the plan out and writes the status.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Generic, TypeVar, cast

from msgspec.structs import replace

from pybernetes.api.apps.replica_set import ReplicaSet, ReplicaSetCondition
from pybernetes.api.core.pod import Pod, PodTemplateSpec
from pybernetes.api.core.replication_controller import (
    ReplicationController,
    ReplicationControllerCondition,
)
from pybernetes.api.kind import Kind
from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Object, Time
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.client.informer import Cache, Informer, key_of
from pybernetes.client.resource import Resource
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.base import Controller
from pybernetes.controllers.expectations import Expectations
from pybernetes.controllers.ownership import (
    BY_CONTROLLER,
    claim,
    controller_of,
    index_by_controller,
    resolve,
    settle_claim,
)
from pybernetes.controllers.podcontrol import PodControl, from_template
from pybernetes.controllers.selectors import contains, is_empty, matches
from pybernetes.controllers.times import stamp
from pybernetes.controllers.types import Context

R = TypeVar("R", ReplicaSet, ReplicationController)
C = TypeVar("C", ReplicaSetCondition, ReplicationControllerCondition)

_COALESCE_PER_POD = 0.0002
_COALESCE_MAX = 1.0
_NEXT_BURST = 0.05
"""Seconds until a set that is still far from its size is looked at again; news of its pods may come later."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done about the number of pods, and why."""

    create: int = 0
    delete: list[Pod] = field(default_factory=list)
    reason: str = ""


def plan(want: int, active: Sequence[Pod], related: Iterable[Pod], burst: int, now: datetime) -> Plan:
    """How to get from the active pods to `want`, at most `burst` at a time. `related` are all pods of the same
    workload (for a Deployment those of its other ReplicaSets too): nodes with many of them give up theirs first."""
    have = len(active)
    if have < want:
        return Plan(create=min(want - have, burst), reason=f"{want} wanted, {have} there")
    if have == want:
        return Plan()
    excess = min(have - want, burst)
    on_node = Counter(pod.spec.node_name for pod in related)
    ranked = sorted(active, key=lambda pod: podfacts.deletion_rank(pod, on_node, now))
    return Plan(delete=ranked[:excess], reason=f"{want} wanted, {have} there")


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


def failure_conditions(
    conditions: list[C], make: type[C], error: Exception | None, creating: bool, now: Time
) -> list[C]:
    """The conditions after an attempt that ended with `error`: ReplicaFailure comes with the first one that failed,
    and goes with the first one that succeeded."""
    present = next((item for item in conditions if item.type == "ReplicaFailure"), None)
    if error is None:
        return conditions if present is None else [item for item in conditions if item is not present]
    if present is not None:
        return conditions
    reason = "FailedCreate" if creating else "FailedDelete"
    failed = make(type="ReplicaFailure", status="True", reason=reason, message=str(error), last_transition_time=now)
    result = list(conditions)
    result.append(failed)
    return result


class ReplicaController(Controller, Generic[R]):
    """The loop over either kind; subclasses say where the kinds differ."""

    struct: ClassVar[type[Object]]

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        kind = cast("type[R]", self.struct)
        self._kind: Kind[Any] = kind_of(kind)
        self._resource: Resource[Any] = context.client.of(kind)
        self._sets: Cache[Any] = self.observe(kind, self._set_changed)
        self._pods = self.observe(Pod, self._pod_changed)
        index_by_controller(self._pods)
        index_by_controller(self._sets)
        pod_informer = cast("Informer[Object]", self.informer(Pod))
        self._expectations = Expectations(pod_informer, context.clock.now)
        self._control = PodControl(context.client, context.recorder, self._expectations)

    @abstractmethod
    def selects(self, owner: R, labels: dict[str, str]) -> bool:
        """Whether the owner's selector selects these labels."""

    def template(self, owner: R) -> PodTemplateSpec:
        """The owner's template."""
        return owner.spec.template or PodTemplateSpec()

    @abstractmethod
    def conditions(self, owner: R, error: Exception | None, creating: bool) -> list[Any]:
        """The owner's conditions after an attempt that ended with `error`."""

    def _set_changed(self, old: R | None, new: R | None) -> None:
        owner = cast("Object", new or old)
        if old is None or new is None or replace(old, status=new.status, metadata=new.metadata) != new:
            self.queue.add(key_of(owner))
        else:
            self._enqueue_later(owner)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        pod = cast("Pod", new or old)
        owner = resolve(controller_of(pod), self._kind.name, pod.metadata.namespace, self._sets)
        if old is not None and new is not None:
            before = resolve(controller_of(old), self._kind.name, pod.metadata.namespace, self._sets)
            if before is not None and before is not owner:
                self.queue.add(key_of(before))
        if owner is not None:
            self._enqueue(owner, pod, old, new)
        elif new is not None and controller_of(new) is None:
            for candidate in self._sets.by_index("namespace", new.metadata.namespace):
                if self.selects(cast("R", candidate), new.metadata.labels):
                    self.queue.add(key_of(candidate))

    def _enqueue(self, owner: Object, pod: Pod, old: Pod | None, new: Pod | None) -> None:
        """A pod that was lost is replaced at once; news that only change figures wait a little, the longer the more
        pods there are, so that the work per event stays constant. Deletions of our own are such news, too."""
        gone = new is None or (old is not None and podfacts.is_active(old) and not podfacts.is_active(new))
        if gone and not self._expectations.is_deleted(key_of(owner), pod):
            self.queue.add(key_of(owner))
        else:
            self._enqueue_later(owner)

    def _enqueue_later(self, owner: Object) -> None:
        pods = self._pods.count(BY_CONTROLLER, owner.metadata.uid)
        self.queue.add_after(key_of(owner), min(pods * _COALESCE_PER_POD, _COALESCE_MAX))

    async def reconcile(self, key: str) -> float | None:
        """One pass: claim, create or delete, write the status."""
        owner = cast("R | None", self._sets.get(key))
        if owner is None:
            self._expectations.forget(key)
            return None
        claimed = claim(owner, self._pods, lambda pod: self.selects(owner, pod.metadata.labels))
        owned = await settle_claim(self.context.client, Pod, owner, claimed, lambda: self._alive(owner))
        active = [pod for pod in owned if podfacts.is_active(pod)]
        error: Exception | None = None
        want = 1 if owner.spec.replicas is None else owner.spec.replicas
        missing = want - len(active)
        if owner.metadata.deletion_timestamp:
            unfinished = False
        elif self._expectations.satisfied(key):
            unfinished = abs(missing) > self.context.config.burst_replicas
            error = await self._act(key, owner, want, active)
        else:
            unfinished = True
        active = [pod for pod in active if not self._expectations.is_deleted(key, pod)]
        wait = await self._write_status(owner, active, error, creating=missing > 0)
        if error is not None:
            raise error
        return _NEXT_BURST if unfinished else wait

    async def _act(self, key: str, owner: R, want: int, active: list[Pod]) -> Exception | None:
        now = self.context.clock.now()
        related = self._related(owner, active) if len(active) > want > 0 else active
        todo = plan(want, active, related, self.context.config.burst_replicas, now)
        try:
            if todo.create:
                pod = from_template(self.template(owner), owner)
                await self._control.create(key, owner, [pod] * todo.create)
            if todo.delete:
                await self._control.delete(key, owner, todo.delete)
        except (ApiError, Unreachable) as error:
            return error
        return None

    def _related(self, owner: R, active: list[Pod]) -> list[Pod]:
        above = controller_of(owner)
        if above is None:
            return active
        siblings = self._sets.by_index(BY_CONTROLLER, above.uid)
        pods = [pod for one in siblings for pod in self._pods.by_index(BY_CONTROLLER, one.metadata.uid)]
        return [pod for pod in pods if podfacts.is_active(pod)]

    async def _alive(self, owner: R) -> bool:
        try:
            fresh = await self._resource.get(owner.metadata.name, namespace=owner.metadata.namespace)
        except NotFound:
            return False
        return fresh.metadata.uid == owner.metadata.uid and not fresh.metadata.deletion_timestamp

    async def _write_status(self, owner: R, active: list[Pod], error: Exception | None, creating: bool) -> float | None:
        now = self.context.clock.now()
        counts = count(active, self.template(owner), owner.spec.min_ready_seconds or 0, now)
        status = replace(
            owner.status,
            replicas=counts.replicas,
            fully_labeled_replicas=counts.fully_labeled,
            ready_replicas=counts.ready,
            available_replicas=counts.available,
            observed_generation=owner.metadata.generation,
            conditions=self.conditions(owner, error, creating),
        )
        if status != owner.status:
            try:
                await self._resource.update_status(cast("Any", replace(owner, status=cast("Any", status))))
            except NotFound:
                return None
        return counts.next_available


class ReplicaSetController(ReplicaController[ReplicaSet]):
    """apps/v1 ReplicaSet."""

    name = "replicaset-controller"
    component = "replicaset-controller"
    struct = ReplicaSet

    def selects(self, owner: ReplicaSet, labels: dict[str, str]) -> bool:
        """By the set-based selector; an empty one selects nothing."""
        return not is_empty(owner.spec.selector) and matches(owner.spec.selector, labels)

    def conditions(self, owner: ReplicaSet, error: Exception | None, creating: bool) -> list[ReplicaSetCondition]:
        """With ReplicaFailure as the attempt ended."""
        now = stamp(self.context.clock.now())
        return failure_conditions(owner.status.conditions, ReplicaSetCondition, error, creating, now)
