"""DaemonSet: one pod on each eligible node.

The shell: revisions, back-off of failed pods, and writing what `daemonset_plan` decides.
"""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec.structs import replace

from pybernetes.api.apps.controller_revision import ControllerRevision
from pybernetes.api.apps.daemon_set import DaemonSet
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.client.errors import AlreadyExists, Conflict, NotFound
from pybernetes.client.informer import key_of
from pybernetes.controllers import daemonset_plan as plans
from pybernetes.controllers import history
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.config import DaemonSetConfig
from pybernetes.controllers.daemonset_plan import ByNode, DaemonPlan, Rules
from pybernetes.controllers.ownership import (
    BY_CONTROLLER,
    controller_of,
    index_by_controller,
    is_controlled_by,
    resolve,
)
from pybernetes.controllers.pod_owner import Attempt, Plan, PodOwnerController
from pybernetes.controllers.podcontrol import from_template
from pybernetes.controllers.selectors import is_empty, matches
from pybernetes.controllers.types import Context

_FAILED_FIRST = 1.0
_FAILED_MAX = 900.0


class DaemonSetController(PodOwnerController[DaemonSet]):
    """apps/v1 DaemonSet."""

    name = "daemonset-controller"
    component = "daemon-set-controller"
    owner_type = DaemonSet
    settings = DaemonSetConfig
    burst = 250

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = self.observe(Node, self._node_changed)
        self._revisions = self.watch(ControllerRevision, self._revision_changed)
        index_by_controller(self._revisions)
        self._revision_api = context.client.of(ControllerRevision)
        self._failures: dict[tuple[str, str], tuple[float, float]] = {}
        """(uid of the DaemonSet, node) -> (time of the last removal of a failed pod, delay of the next)"""

    def selects(self, owner: DaemonSet, labels: Mapping[str, str]) -> bool:
        """By the set-based selector."""
        return matches(owner.spec.selector, labels)

    def accepts(self, owner: DaemonSet) -> bool:
        """Refuse a DaemonSet that selects all pods: it would adopt those of others."""
        if is_empty(owner.spec.selector):
            text = "This daemon set is selecting all pods. A non-empty selector is required."
            self.context.recorder.event(owner, "Warning", "SelectingAll", text)
            return False
        return not owner.metadata.deletion_timestamp

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Only labels and taints decide over eligibility; heartbeats change nothing."""
        if old is not None and new is not None:
            same = old.metadata.labels == new.metadata.labels and old.spec.taints == new.spec.taints
            if same:
                return
        for key in self.owners.keys():  # noqa: SIM118
            self.queue.add_coalesced(key, len(self._nodes))

    def _revision_changed(self, old: ControllerRevision | None, new: ControllerRevision | None) -> list[str]:
        item = new or old
        owner = resolve(controller_of(item), "DaemonSet", item.metadata.namespace, self.owners) if item else None
        return [key_of(owner)] if owner else []

    async def sync(self, owner: DaemonSet, pods: list[Pod]) -> float | None:
        """One pass: revision, pods on nodes, rolling update, history, status."""
        current, revisions = await self._revise(owner)
        nodes = self._nodes.all()
        desired = sum(plans.eligible(owner, node)[0] for node in nodes)
        rules = plans.rules_of(owner, history.hash_of(current), desired, self.context.clock.now())
        backoffs: list[float] = []

        def plan(daemon: DaemonSet, pods: Sequence[Pod]) -> Plan:
            made, wait = self._plan(daemon, nodes, plans.by_node(pods), rules)
            backoffs.extend(() if wait is None else (wait,))
            return made

        def status(daemon: DaemonSet, pods: Sequence[Pod], _: Attempt) -> tuple[msgspec.Struct, float | None]:
            here = plans.by_node(pods)
            wait = min(backoffs, default=None) or self._next_available(daemon, pods)
            return plans.status(daemon, nodes, here, rules), wait

        wait = await self.apply(owner, pods, plan, status)
        live = {pod.metadata.labels.get(plans.HASH_LABEL, "") for pod in pods}
        for item in history.outdated(owner, revisions, current, live):
            await self._delete_revision(item)
        return wait

    async def _revise(self, daemon: DaemonSet) -> tuple[ControllerRevision, list[ControllerRevision]]:
        """The revision of the current template, created or renumbered if necessary, and all revisions."""
        known = self._revisions.by_index(BY_CONTROLLER, daemon.metadata.uid)
        current = history.find(daemon, known)
        if current is None:
            return await self._create_revision(daemon, history.next_number(known)), known
        if history.number(current) < history.next_number(known) - 1:
            current = await self._revision_api.update(replace(current, revision=history.next_number(known)))
        return current, known

    async def _create_revision(self, daemon: DaemonSet, number: int) -> ControllerRevision:
        wanted = history.new(daemon, number)
        try:
            return await self._revision_api.create(wanted)
        except AlreadyExists as error:
            found = await self._revision_api.get(wanted.metadata.name, namespace=wanted.metadata.namespace)
            if is_controlled_by(found, daemon) and history.find(daemon, [found]) is not None:
                return found
            collisions = (daemon.status.collision_count or 0) + 1
            await self.api.update_status(replace(daemon, status=replace(daemon.status, collision_count=collisions)))
            raise Conflict(error.status) from error

    async def _delete_revision(self, item: ControllerRevision) -> None:
        meta = item.metadata
        try:
            await self._revision_api.delete(meta.name, namespace=meta.namespace, uid=meta.uid)
        except NotFound:
            return

    def _plan(self, daemon: DaemonSet, nodes: Sequence[Node], pods: ByNode, rules: Rules) -> tuple[Plan, float | None]:
        """What to do now, and the seconds until the next failed pod may be replaced."""
        todo = plans.manage(daemon, nodes, pods, rules)
        wait = self._failed(daemon, todo)
        rolling = daemon.spec.update_strategy.type != "OnDelete"
        if rolling and not todo.create and not todo.delete:
            step = plans.roll(daemon, nodes, pods, rules)
            todo.create, todo.delete = step.create, step.delete
        made = [self._pod(daemon, node, rules.hash) for node in todo.create]
        return Plan(create=made, delete=[pod for pod, _ in todo.delete.values()]), wait

    def _pod(self, daemon: DaemonSet, node: str, digest: str) -> Pod:
        pod = from_template(daemon.spec.template, daemon)
        labels = {**pod.metadata.labels, plans.HASH_LABEL: digest}
        return replace(pod, metadata=replace(pod.metadata, labels=labels), spec=plans.pinned(pod.spec, node))

    def _failed(self, daemon: DaemonSet, todo: DaemonPlan) -> float | None:
        """Delete failed pods whose back-off is over; returns the seconds until the next one is due."""
        now = self.context.clock.now().timestamp()
        waits = []
        for pod, phase in todo.failed:
            who = (daemon.metadata.uid, plans.node_of(pod))
            last, delay = self._failures.get(who, (0.0, _FAILED_FIRST))
            if now - last > 2 * _FAILED_MAX:
                delay = _FAILED_FIRST
            if phase == "Failed" and now < last + delay:
                waits.append(last + delay - now)
                continue
            if phase == "Failed":
                self._failures[who] = (now, min(delay * 2, _FAILED_MAX))
            self._record(daemon, pod, phase)
            todo.remove([pod], f"it has {phase.lower()}")
        return min(waits, default=None)

    def _record(self, daemon: DaemonSet, pod: Pod, phase: str) -> None:
        where = f"{key_of(pod)} on node {plans.node_of(pod)}"
        if phase == "Failed":
            text = f"Found failed daemon pod {where}, will try to kill it"
            self.context.recorder.event(daemon, "Warning", "FailedDaemonPod", text)
        else:
            text = f"Found succeeded daemon pod {where}, will try to delete it"
            self.context.recorder.event(daemon, "Normal", "SucceededDaemonPod", text)

    def _next_available(self, daemon: DaemonSet, pods: Sequence[Pod]) -> float | None:
        wait = daemon.spec.min_ready_seconds or 0
        if not wait:
            return None
        now = self.context.clock.now()
        times = [podfacts.available_at(pod, wait) for pod in pods]
        return min(((when - now).total_seconds() for when in times if when and when > now), default=None)
