"""DaemonSet: one pod on each eligible node. The shell: revisions, expectations, writing what `daemonset_plan` says."""

from collections.abc import Sequence
from typing import cast

from msgspec.structs import replace

from pybernetes.api.apps.controller_revision import ControllerRevision
from pybernetes.api.apps.daemon_set import DaemonSet
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Object
from pybernetes.client.errors import AlreadyExists, Conflict, NotFound
from pybernetes.client.informer import Informer, key_of
from pybernetes.controllers import daemonset_plan as plans
from pybernetes.controllers import history
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.base import Controller
from pybernetes.controllers.daemonset_plan import ByNode, DaemonPlan, Rules
from pybernetes.controllers.expectations import Expectations
from pybernetes.controllers.ownership import (
    BY_CONTROLLER,
    claim,
    controller_of,
    index_by_controller,
    is_controlled_by,
    resolve,
    settle_claim,
)
from pybernetes.controllers.podcontrol import PodControl, from_template
from pybernetes.controllers.selectors import is_empty, matches
from pybernetes.controllers.types import Context

BURST = 250
"""The most pods that one pass creates or deletes."""
_COALESCE_PER_POD = 0.0002
_COALESCE_MAX = 1.0
_FAILED_FIRST = 1.0
_FAILED_MAX = 900.0


class DaemonSetController(Controller):
    """apps/v1 DaemonSet."""

    name = "daemonset-controller"
    component = "daemon-set-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._daemons = self.watch(DaemonSet, lambda old, new: [key_of(item) for item in (new or old,) if item])
        self._pods = self.observe(Pod, self._pod_changed)
        self._nodes = self.observe(Node, self._node_changed)
        self._revisions = self.watch(ControllerRevision, self._revision_changed)
        index_by_controller(self._pods)
        index_by_controller(self._revisions)
        self._api = context.client.of(DaemonSet)
        self._revision_api = context.client.of(ControllerRevision)
        self._expectations = Expectations(cast("Informer[Object]", self.informer(Pod)), context.clock.now)
        self._control = PodControl(context.client, context.recorder, self._expectations)
        self._failures: dict[tuple[str, str], tuple[float, float]] = {}
        """(uid of the DaemonSet, node) -> (time of the last removal of a failed pod, delay of the next)"""

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        for pod in (old, new):
            owner = resolve(controller_of(pod), "DaemonSet", pod.metadata.namespace, self._daemons) if pod else None
            if owner is not None:
                self.queue.add_after(key_of(owner), self._delay(self._pods.count(BY_CONTROLLER, owner.metadata.uid)))
        if new is not None and controller_of(new) is None:
            for daemon in self._daemons.by_index("namespace", new.metadata.namespace):
                if matches(daemon.spec.selector, new.metadata.labels):
                    self.queue.add(key_of(daemon))

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Only what decides over eligibility counts; heartbeats don't."""
        if old is not None and new is not None:
            same = old.metadata.labels == new.metadata.labels and old.spec.taints == new.spec.taints
            if same:
                return
        for key in self._daemons.keys():  # noqa: SIM118
            self.queue.add_after(key, self._delay(len(self._nodes)))

    def _revision_changed(self, old: ControllerRevision | None, new: ControllerRevision | None) -> list[str]:
        item = new or old
        owner = resolve(controller_of(item), "DaemonSet", item.metadata.namespace, self._daemons) if item else None
        return [key_of(owner)] if owner else []

    def _delay(self, size: int) -> float:
        return min(size * _COALESCE_PER_POD, _COALESCE_MAX)

    async def reconcile(self, key: str) -> float | None:
        """One pass: revision, pods on nodes, rolling update, history, status."""
        daemon = self._daemons.get(key)
        if daemon is None:
            self._expectations.forget(key)
            return None
        if is_empty(daemon.spec.selector):
            text = "This daemon set is selecting all pods. A non-empty selector is required."
            self.context.recorder.event(daemon, "Warning", "SelectingAll", text)
            return None
        if daemon.metadata.deletion_timestamp:
            return None
        current, revisions = await self._revise(daemon)
        pods = plans.by_node(await self._claim(daemon))
        nodes = self._nodes.all()
        desired = sum(plans.eligible(daemon, node)[0] for node in nodes)
        rules = plans.rules_of(daemon, history.hash_of(current), desired, self.context.clock.now())
        wait = None
        if self._expectations.satisfied(key):
            wait = await self._act(key, daemon, nodes, pods, rules)
        live = {pod.metadata.labels.get(plans.HASH_LABEL, "") for here in pods.values() for pod in here}
        for item in history.outdated(daemon, revisions, current, live):
            await self._delete_revision(item)
        await self._write_status(daemon, nodes, pods, rules)
        return wait if wait is not None else self._next_available(daemon, pods)

    async def _claim(self, daemon: DaemonSet) -> list[Pod]:
        claimed = claim(daemon, self._pods, lambda pod: matches(daemon.spec.selector, pod.metadata.labels))

        async def alive() -> bool:
            try:
                fresh = await self._api.get(daemon.metadata.name, namespace=daemon.metadata.namespace)
            except NotFound:
                return False
            return fresh.metadata.uid == daemon.metadata.uid and not fresh.metadata.deletion_timestamp

        return await settle_claim(self.context.client, Pod, daemon, claimed, alive)

    async def _revise(self, daemon: DaemonSet) -> tuple[ControllerRevision, list[ControllerRevision]]:
        """The revision of the present template, made or made the newest if need be, and all revisions."""
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
            await self._api.update_status(replace(daemon, status=replace(daemon.status, collision_count=collisions)))
            raise Conflict(error.status) from error

    async def _delete_revision(self, item: ControllerRevision) -> None:
        meta = item.metadata
        try:
            await self._revision_api.delete(meta.name, namespace=meta.namespace, uid=meta.uid)
        except NotFound:
            return

    async def _act(
        self, key: str, daemon: DaemonSet, nodes: Sequence[Node], pods: ByNode, rules: Rules
    ) -> float | None:
        todo = plans.manage(daemon, nodes, pods, rules)
        wait = self._failed(daemon, todo)
        rolling = daemon.spec.update_strategy.type != "OnDelete"
        if rolling and not todo.create and not todo.delete:
            step = plans.roll(daemon, nodes, pods, rules)
            todo.create, todo.delete = step.create, step.delete
        await self._control.delete(key, daemon, [pod for pod, _ in todo.delete.values()][:BURST])
        made = [self._pod(daemon, node, rules.hash) for node in todo.create[:BURST]]
        await self._control.create(key, daemon, made)
        return wait

    def _pod(self, daemon: DaemonSet, node: str, digest: str) -> Pod:
        pod = from_template(daemon.spec.template, daemon)
        labels = {**pod.metadata.labels, plans.HASH_LABEL: digest}
        return replace(pod, metadata=replace(pod.metadata, labels=labels), spec=plans.pinned(pod.spec, node))

    def _failed(self, daemon: DaemonSet, todo: DaemonPlan) -> float | None:
        """Move failed pods whose back-off is over to the deletions; returns the seconds until the next may go."""
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
            self._tell(daemon, pod, phase)
            todo.remove([pod], f"it has {phase.lower()}")
        return min(waits, default=None)

    def _tell(self, daemon: DaemonSet, pod: Pod, phase: str) -> None:
        where = f"{key_of(pod)} on node {plans.node_of(pod)}"
        if phase == "Failed":
            text = f"Found failed daemon pod {where}, will try to kill it"
            self.context.recorder.event(daemon, "Warning", "FailedDaemonPod", text)
        else:
            text = f"Found succeeded daemon pod {where}, will try to delete it"
            self.context.recorder.event(daemon, "Normal", "SucceededDaemonPod", text)

    async def _write_status(self, daemon: DaemonSet, nodes: Sequence[Node], pods: ByNode, rules: Rules) -> None:
        wanted = plans.status(daemon, nodes, pods, rules)
        if wanted == daemon.status:
            return
        try:
            await self._api.update_status(replace(daemon, status=wanted))
        except NotFound:
            return

    def _next_available(self, daemon: DaemonSet, pods: ByNode) -> float | None:
        wait = daemon.spec.min_ready_seconds or 0
        if not wait:
            return None
        from_now = self.context.clock.now()
        times = [podfacts.available_at(pod, wait) for here in pods.values() for pod in here]
        return min(((when - from_now).total_seconds() for when in times if when and when > from_now), default=None)
