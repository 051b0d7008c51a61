"""Taint eviction: delete pods that do not tolerate a NoExecute taint of their node, at once or after the
tolerationSeconds of the pod. `due` is pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from pybernetes.api.core.affinity import Toleration
from pybernetes.api.core.node import Node, Taint
from pybernetes.api.core.pod import Pod
from pybernetes.client.errors import NotFound
from pybernetes.client.informer import key_of, split_key
from pybernetes.controllers.base import Controller
from pybernetes.controllers.disruption import mark
from pybernetes.controllers.nodefit import tolerates
from pybernetes.controllers.nodelifecycle import BY_NODE
from pybernetes.controllers.times import parse
from pybernetes.controllers.types import Context


def no_execute(node: Node | None) -> list[Taint]:
    """The taints that evict pods."""
    return [taint for taint in node.spec.taints if taint.effect == "NoExecute"] if node else []


def due(taints: Sequence[Taint], tolerations: Sequence[Toleration], now: datetime) -> datetime | None:
    """When a pod with these tolerations must be deleted; None if it may stay. Toleration seconds count from the time at
    which the taint was added."""
    times = []
    for taint in taints:
        matching = next((item for item in tolerations if tolerates(item, taint)), None)
        if matching is None:
            return now
        if matching.toleration_seconds is not None:
            since = parse(taint.time_added) or now
            times.append(since + timedelta(seconds=max(0, matching.toleration_seconds)))
    return min(times, default=None)


class TaintEvictionController(Controller):
    """Keys are those of pods."""

    name = "taint-eviction-controller"
    component = "node-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._waiting: dict[str, tuple[str, tuple[str, ...], datetime]] = {}
        """pod -> (its uid, keys of the taints, when it is due); a taint without a time counts from first sight"""
        self._pods = self.watch(Pod, self._pod_changed)
        self._pods.add_index(BY_NODE, lambda pod: (pod.spec.node_name,) if pod.spec.node_name else ())
        self._nodes = self.watch(Node, self._node_changed)
        self._api = context.client.of(Pod)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> list[str]:
        if new is None or not new.spec.node_name:
            return [key_of(old)] if old is not None and key_of(old) in self._waiting else []
        same = old is not None and _view(old) == _view(new)
        return [] if same or not no_execute(self._nodes.get(new.spec.node_name)) else [key_of(new)]

    def _node_changed(self, old: Node | None, new: Node | None) -> list[str]:
        if no_execute(old) == no_execute(new):
            return []
        node = new or old
        return [key_of(pod) for pod in self._pods.by_index(BY_NODE, node.metadata.name)] if node else []

    async def reconcile(self, key: str) -> float | None:
        """Delete the pod if it is due; else return the seconds until it is."""
        pod = self._pods.get(key)
        if pod is None or pod.metadata.deletion_timestamp:
            self._waiting.pop(key, None)
            return None
        now = self.context.clock.now()
        when = self._due(key, pod, now)
        if when is None:
            if self._waiting.pop(key, None):
                self._record(pod, f"Cancelling deletion of Pod {key}")
            return None
        if when > now:
            return (when - now).total_seconds()
        await self._delete(key, pod, now)
        return None

    def _due(self, key: str, pod: Pod, now: datetime) -> datetime | None:
        taints = no_execute(self._nodes.get(pod.spec.node_name))
        when = due(taints, pod.spec.tolerations, now)
        if when is None:
            return None
        reasons = tuple(taint.key for taint in taints)
        known = self._waiting.get(key)
        if known and known[:2] == (pod.metadata.uid, reasons):
            when = min(when, known[2])
        self._waiting[key] = (pod.metadata.uid, reasons, when)
        return when

    async def _delete(self, key: str, pod: Pod, now: datetime) -> None:
        namespace, name = split_key(key)
        self._record(pod, f"Marking for deletion Pod {key}")
        try:
            text = "Taint manager: deleting due to NoExecute taint"
            await mark(self._api, pod, "DeletionByTaintManager", text, now)
            await self._api.delete(name, namespace=namespace, uid=pod.metadata.uid)
        except NotFound:
            pass
        self._waiting.pop(key, None)

    def _record(self, pod: Pod, text: str) -> None:
        self.context.recorder.event(pod, "Normal", "TaintManagerEviction", text)


def _view(pod: Pod) -> tuple[object, ...]:
    return pod.metadata.uid, pod.spec.node_name, pod.spec.tolerations, pod.metadata.deletion_timestamp
