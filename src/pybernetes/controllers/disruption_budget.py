"""Disruption budgets: how many pods of an application may be evicted now. The API server reads the number in the
budget's status at each eviction, and decrements it until this loop has counted again.

Pure: `expected` computes how many pods there should be and how many must be healthy, `counted` the status, `stale` when
a pod's DisruptionTarget expires. The shell finds the pods and their controllers, and writes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from msgspec.structs import replace

from pybernetes.api import labels
from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.conditions import with_condition
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Condition, Object, OwnerReference, Time
from pybernetes.api.policy.pod_disruption_budget import (
    DISRUPTION_ALLOWED,
    INSUFFICIENT_PODS,
    SUFFICIENT_PODS,
    SYNC_FAILED,
    PodDisruptionBudget,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)
from pybernetes.client.errors import NotFound
from pybernetes.client.informer import Cache, key_of
from pybernetes.controllers import disruption
from pybernetes.controllers.base import Controller
from pybernetes.controllers.ownership import controller_of, resolve
from pybernetes.controllers.percent import scaled
from pybernetes.controllers.pods import condition, is_ready
from pybernetes.controllers.times import parse, stamp
from pybernetes.controllers.types import Context

DELETION_TIMEOUT = timedelta(minutes=2)
"""How long an evicted pod may take to be terminating before it counts as one that stays."""
STALE_AFTER = timedelta(minutes=2)
"""The same for the condition DisruptionTarget."""

Scalable = ReplicationController | ReplicaSet | Deployment


@dataclass(frozen=True, slots=True)
class Size:
    """How many pods an object wants: the controller of the pods, or the object that scales that controller."""

    uid: str
    replicas: int


Sizes = Mapping[str, Size]
"""uid of a pod's controller -> the size that counts"""

_CACHED: tuple[type[Scalable], ...] = (ReplicationController, ReplicaSet, Deployment)
"""Read from caches, since most pods belong to them; others are asked through their scale subresource."""
_COUNT_AGAIN = 30.0
"""Seconds until pods that could not be counted are counted again: discovery may know their controller by then."""
_POD = "pod:"
"""Prefix of the keys of pods; the others are those of budgets."""


class Uncountable(Exception):
    """The expected number of pods can't be computed; the text goes into the budget's condition."""


@dataclass(frozen=True, slots=True)
class Expected:
    """How many pods there should be, how many of them must be healthy, and which pods have no controller."""

    pods: int = 0
    healthy: int = 0
    unmanaged: list[str] = field(default_factory=list)


def expected(spec: PodDisruptionBudgetSpec, pods: Sequence[Pod], sizes: Sizes) -> Expected:
    """Computed from the sizes of the pods' controllers; for a minAvailable that is a number, from the existing pods.
    Percentages are rounded up for both limits. Raises Uncountable."""
    if spec.max_unavailable is not None:
        total, unmanaged = _total(pods, sizes)
        return Expected(total, max(0, total - scaled(spec.max_unavailable, total, up=True)), unmanaged)
    if isinstance(spec.min_available, str):
        total, unmanaged = _total(pods, sizes)
        return Expected(total, scaled(spec.min_available, total, up=True), unmanaged)
    return Expected() if spec.min_available is None else Expected(len(pods), spec.min_available)


def _total(pods: Sequence[Pod], sizes: Sizes) -> tuple[int, list[str]]:
    counted: dict[str, int] = {}
    unmanaged = []
    for pod in pods:
        ref = controller_of(pod)
        if ref is None:
            unmanaged.append(pod.metadata.name)
        elif ref.uid not in sizes:
            raise Uncountable(f'found no controllers for pod "{pod.metadata.name}"')
        else:
            counted[sizes[ref.uid].uid] = sizes[ref.uid].replicas
    return sum(counted.values()), unmanaged


@dataclass(frozen=True, slots=True)
class Counted:
    """A status, the pods that were evicted and still exist, and when to count again if nothing changes."""

    status: PodDisruptionBudgetStatus
    overdue: list[Pod]
    again: datetime | None


def counted(budget: PodDisruptionBudget, pods: Sequence[Pod], want: Expected, now: datetime) -> Counted:
    """The status for the current pods. While no pod is expected, no disruption is allowed: an old allowance must
    not let the first pods to appear be evicted."""
    disrupted: dict[str, Time] = {}
    overdue, deadlines = [], []
    for pod in pods:
        since = parse(budget.status.disrupted_pods.get(pod.metadata.name, ""))
        if since is None or pod.metadata.deletion_timestamp:
            continue
        if since + DELETION_TIMEOUT < now:
            overdue.append(pod)
        else:
            disrupted[pod.metadata.name] = budget.status.disrupted_pods[pod.metadata.name]
            deadlines.append(since + DELETION_TIMEOUT)
    healthy = sum(
        is_ready(pod) and not pod.metadata.deletion_timestamp and pod.metadata.name not in disrupted for pod in pods
    )
    allowed = max(0, healthy - want.healthy) if want.pods > 0 else 0
    status = PodDisruptionBudgetStatus(
        current_healthy=healthy,
        desired_healthy=want.healthy,
        disrupted_pods=disrupted,
        disruptions_allowed=allowed,
        expected_pods=want.pods,
        observed_generation=budget.metadata.generation,
    )
    found = _condition(allowed > 0, SUFFICIENT_PODS if allowed > 0 else INSUFFICIENT_PODS, "", status)
    status.conditions = with_condition(budget.status.conditions, found, stamp(now))
    return Counted(status, overdue, min(deadlines, default=None))


def failed(status: PodDisruptionBudgetStatus, reason: str, now: datetime) -> PodDisruptionBudgetStatus:
    """The status when the pods can't be counted: no disruption is allowed."""
    found = _condition(False, SYNC_FAILED, reason, status)
    return replace(status, disruptions_allowed=0, conditions=with_condition(status.conditions, found, stamp(now)))


def _condition(holds: bool, reason: str, message: str, status: PodDisruptionBudgetStatus) -> Condition:
    return Condition(
        type=DISRUPTION_ALLOWED,
        status="True" if holds else "False",
        observed_generation=status.observed_generation,
        reason=reason,
        message=message,
    )


def stale(pod: Pod) -> datetime | None:
    """When the pod's DisruptionTarget expires, unless the pod is deleted before; None if never. The condition that a
    kubelet sets doesn't expire: it may take any time to end a pod."""
    found = condition(pod, disruption.TYPE)
    if found is None or found.status != "True" or found.reason == "TerminationByKubelet":
        return None
    if pod.metadata.deletion_timestamp or pod.status.phase in ("Succeeded", "Failed"):
        return None
    since = parse(found.last_transition_time)
    return None if since is None else since + STALE_AFTER


class DisruptionController(Controller):
    """Keys are those of budgets, and with a prefix those of pods with the condition DisruptionTarget."""

    name = "disruption-controller"
    component = "disruption-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._api = context.client.of(PodDisruptionBudget)
        self._pod_api = context.client.of(Pod)
        self._budgets = self.watch(PodDisruptionBudget, lambda old, new: [key_of(cast("Object", new or old))])
        self._pods = self.observe(Pod, self._pod_changed)
        self._owners: dict[tuple[str, str], Cache[Any]] = {
            (kind_of(struct).group, kind_of(struct).name): self.observe(struct, self._owner_changed)
            for struct in _CACHED
        }

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is not None and stale(new) is not None:
            self.queue.add(_POD + key_of(new))
        if old is None or new is None or _view(old) != _view(new):
            for pod in (old, new):
                if pod is not None:
                    self._recount(pod.metadata.namespace, pod)

    def _owner_changed(self, old: Scalable | None, new: Scalable | None) -> None:
        """A new size changes the expected number, before any pod is created or deleted."""
        if old is None or new is None or _replicas(old) != _replicas(new):
            self._recount(cast("Object", new or old).metadata.namespace, None)

    def _recount(self, namespace: str, pod: Pod | None) -> None:
        """Count the budgets of a pod, or all of the namespace, again."""
        for budget in self._budgets.by_index("namespace", namespace):
            if pod is None or _selector(budget).matches(pod.metadata.labels):
                self.queue.add_coalesced(key_of(budget), self._pods.count("namespace", namespace))

    async def reconcile(self, key: str) -> float | None:
        """Count the pods of a budget, or withdraw an expired condition."""
        if key.startswith(_POD):
            return await self._withdraw(key.removeprefix(_POD))
        budget = self._budgets.get(key)
        if budget is None:
            return None
        now = self.context.clock.now()
        selector = _selector(budget)
        there = self._pods.by_index("namespace", budget.metadata.namespace)
        pods = [pod for pod in there if selector.matches(pod.metadata.labels)]
        if not pods:
            self.context.recorder.event(budget, "Normal", "NoPods", "No matching pods found")
        try:
            want = expected(budget.spec, pods, await self._sizes(budget.spec, pods))
        except Uncountable as error:
            text = f"Failed to calculate the number of expected pods: {error}"
            self.context.recorder.event(budget, "Warning", "CalculateExpectedPodCountFailed", text)
            await self._write(budget, failed(budget.status, str(error), now))
            return _COUNT_AGAIN
        if want.unmanaged:
            self.context.recorder.event(budget, "Warning", "UnmanagedPods", _unmanaged(selector))
        result = counted(budget, pods, want, now)
        for pod in result.overdue:
            text = f"Pod was expected by PDB {key} to be deleted but it wasn't"
            self.context.recorder.event(pod, "Warning", "NotDeleted", text)
        await self._write(budget, result.status)
        # Just after the deadline: at the deadline itself the pod still counts as disrupted.
        return None if result.again is None else (result.again - now).total_seconds() + 0.001

    async def _write(self, budget: PodDisruptionBudget, status: PodDisruptionBudgetStatus) -> None:
        if status == budget.status:
            return
        try:
            await self._api.update_status(replace(budget, status=status))
        except NotFound:
            return

    async def _withdraw(self, key: str) -> float | None:
        pod = self._pods.get(key)
        when = stale(pod) if pod is not None else None
        if pod is None or when is None:
            return None
        now = self.context.clock.now()
        if when > now:
            return (when - now).total_seconds()
        try:
            await disruption.withdraw(self._pod_api, pod, now)
        except NotFound:
            pass
        return None

    async def _sizes(self, spec: PodDisruptionBudgetSpec, pods: Sequence[Pod]) -> Sizes:
        """The sizes of everything that controls these pods, where the budget depends on them. Raises Uncountable."""
        if spec.max_unavailable is None and not isinstance(spec.min_available, str):
            return {}
        found: dict[str, Size] = {}
        for pod in pods:
            ref = controller_of(pod)
            if ref is not None and ref.uid not in found:
                size = await self._size(ref, pod.metadata.namespace)
                if size is not None:
                    found[ref.uid] = size
        return found

    async def _size(self, ref: OwnerReference, namespace: str) -> Size | None:
        """The size of a pod's controller; of a ReplicaSet's Deployment, as a roll-out shifts it between sets."""
        cache = self._owners.get((ref.api_version.rpartition("/")[0], ref.kind))
        if cache is None:
            return await self._scale(ref, namespace)
        owner = resolve(ref, ref.kind, namespace, cache)
        above = controller_of(owner) if owner is not None else None
        if above is not None and above.kind == "Deployment":
            owner = resolve(above, above.kind, namespace, self._owners[kind_of(Deployment).group, above.kind])
        return None if owner is None else Size(owner.metadata.uid, _replicas(owner))

    async def _scale(self, ref: OwnerReference, namespace: str) -> Size | None:
        """The size of any other kind, through its scale subresource. Raises Uncountable."""
        discovery = self.context.discovery
        resource = discovery.catalogue.find(ref.api_version, ref.kind)
        resource = resource or (await discovery.refresh()).find(ref.api_version, ref.kind)
        if resource is None:
            raise Uncountable(f'no matches for kind "{ref.kind}" in version "{ref.api_version}"')
        if "scale" not in resource.subresources:
            raise Uncountable(f"{resource.resource} does not implement the scale subresource")
        try:
            scale = await self.context.client.scale(resource, ref.name, namespace=namespace)
        except NotFound:
            return None
        return Size(ref.uid, scale.spec.replicas or 0) if scale.metadata.uid == ref.uid else None


def _replicas(owner: Scalable) -> int:
    return 1 if owner.spec.replicas is None else owner.spec.replicas


def _view(pod: Pod) -> tuple[object, ...]:
    """All fields of a pod that counting depends on."""
    meta = pod.metadata
    return meta.labels, bool(meta.deletion_timestamp), is_ready(pod), meta.owner_references


def _selector(budget: PodDisruptionBudget) -> labels.Selector:
    try:
        return labels.from_label_selector(budget.spec.selector)
    except labels.SelectorError:
        return labels.NOTHING


def _unmanaged(selector: labels.Selector) -> str:
    return (
        f"Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, "
        "the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for "
        'these pods please set ".spec.minAvailable" field of the PDB to an integer value.'
    )
