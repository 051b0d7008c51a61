"""Pod garbage collector: remove pods that no kubelet removes.

There are four sorts, each found by a pure function: ended pods beyond a threshold, pods on deleted nodes, terminating
pods that were never scheduled, and terminating pods on nodes with the out-of-service taint.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.client.errors import Conflict, NotFound
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import PodGCConfig
from pybernetes.controllers.disruption import mark_failed
from pybernetes.controllers.types import Context

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"
QUARANTINE = 40.0
"""Seconds that a node must be gone before its pods are removed: it may be registering again."""
_KEY = "pods"


@dataclass(frozen=True, slots=True)
class Removal:
    """A pod to remove at once. `message` is set when its status has to say why it failed."""

    pod: Pod
    reason: str
    message: str = ""


def ended(pods: Sequence[Pod], threshold: int) -> list[Removal]:
    """The oldest ended pods beyond the threshold; evicted ones first. A threshold of 0 disables this."""
    done = [pod for pod in pods if pod.status.phase in ("Succeeded", "Failed")]
    surplus = len(done) - threshold
    if threshold <= 0 or surplus <= 0:
        return []
    done.sort(key=lambda pod: (pod.status.reason != "Evicted", pod.metadata.creation_timestamp, pod.metadata.name))
    return [Removal(pod, f"more than {threshold} ended pods") for pod in done[:surplus]]


def orphaned(pods: Sequence[Pod], gone: Collection[str]) -> list[Removal]:
    """The pods on deleted nodes."""
    text = "PodGC: node no longer exists"
    return [Removal(pod, "its node is gone", text) for pod in pods if pod.spec.node_name in gone]


def unscheduled(pods: Sequence[Pod]) -> list[Removal]:
    """Terminating pods that never ran on a node."""
    return [
        Removal(pod, "it was never scheduled")
        for pod in pods
        if pod.metadata.deletion_timestamp and not pod.spec.node_name
    ]


def out_of_service(pods: Sequence[Pod], nodes: Mapping[str, Node]) -> list[Removal]:
    """Terminating pods on nodes that are not ready and have the out-of-service taint, which an administrator sets."""
    text = "PodGC: node out-of-service"
    return [
        Removal(pod, "its node is out of service", text)
        for pod in pods
        if pod.metadata.deletion_timestamp
        and (node := nodes.get(pod.spec.node_name)) is not None
        and _is_down(node)
        and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)
    ]


def _is_down(node: Node) -> bool:
    return not any(item.type == "Ready" and item.status == "True" for item in node.status.conditions)


class PodGarbageCollector(Controller):
    """One key, reconciled every `PodGCConfig.period` seconds."""

    name = "pod-garbage-collector-controller"
    component = "pod-garbage-collector"
    settings = PodGCConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._pods = self.informer(Pod).cache
        self._nodes = self.informer(Node).cache
        self._missing: dict[str, datetime] = {}
        self._api = context.client.of(Pod)

    async def start(self) -> None:
        """Queue the first pass."""
        self.queue.add(_KEY)

    async def reconcile(self, key: str) -> float:
        """Remove all pods that are due."""
        pods = self._pods.all()
        nodes = {node.metadata.name: node for node in self._nodes.all()}
        gone = await self._gone({pod.spec.node_name for pod in pods} - nodes.keys() - {""})
        alive = [pod for pod in pods if pod.spec.node_name not in gone]
        found = [
            *ended(alive, self.context.config.of(PodGCConfig).threshold),
            *out_of_service(alive, nodes),
            *orphaned(pods, gone),
            *unscheduled(alive),
        ]
        for removal in found:
            await self._remove(removal)
        return self.context.config.of(PodGCConfig).period

    async def _gone(self, missing: set[str]) -> list[str]:
        """The missing nodes whose quarantine is over and that the server doesn't have."""
        now = self.context.clock.now()
        self._missing = {name: self._missing.get(name, now) for name in missing}
        result = []
        for name, since in self._missing.items():
            if (now - since).total_seconds() < QUARANTINE:
                continue
            try:
                await self.context.client.of(Node).get(name)
            except NotFound:
                result.append(name)
        return result

    async def _remove(self, removal: Removal) -> None:
        meta = removal.pod.metadata
        try:
            if removal.message:
                await mark_failed(self._api, removal.pod, "DeletionByPodGC", removal.message, self.context.clock.now())
            await self._api.delete(meta.name, namespace=meta.namespace, uid=meta.uid, grace_period_seconds=0)
        except (NotFound, Conflict):
            return
