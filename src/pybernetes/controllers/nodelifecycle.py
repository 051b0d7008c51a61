"""Node lifecycle: detect silent nodes, set their conditions and taints, and mark their pods.

There are two kinds of keys. The empty key is the periodic check of all nodes: health, zones, and the NoExecute taints,
which are set at a limited rate per zone. The name of a node updates its NoSchedule taints when its conditions change.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from pybernetes.api.coordination.lease import Lease
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.wellknown import NAMESPACE_NODE_LEASE
from pybernetes.client.errors import Conflict, NotFound
from pybernetes.controllers import node_health as health
from pybernetes.controllers import pods as podfacts
from pybernetes.controllers.base import Controller
from pybernetes.controllers.config import NodeLifecycleConfig
from pybernetes.controllers.times import stamp
from pybernetes.controllers.types import Context

log = logging.getLogger(__name__)

BY_NODE = "node"
"""index: name of the node -> its pods"""
_ALL = ""
_PARALLEL = 20
_ATTEMPTS = 3


class NodeLifecycleController(Controller):
    """core/v1 Node."""

    name = "node-lifecycle-controller"
    component = "node-controller"
    settings = NodeLifecycleConfig

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = self.watch(Node, self._changed)
        self._leases = self.informer(Lease).cache
        self._pods = self.informer(Pod).cache
        self._pods.add_index(BY_NODE, lambda pod: (pod.spec.node_name,) if pod.spec.node_name else ())
        self._api = context.client.of(Node)
        self._pod_api = context.client.of(Pod)
        self._health = health.Health(context.config.of(NodeLifecycleConfig))
        self._buckets: dict[str, health.Bucket] = defaultdict(health.Bucket)
        self._marked: set[str] = set()
        """nodes whose pods were marked since the node was last ready"""
        self._all_down = False

    def _changed(self, old: Node | None, new: Node | None) -> list[str]:
        if new is None:
            return [_ALL]
        same = old is not None and _taint_view(old) == _taint_view(new)
        return [] if same else [new.metadata.name]

    async def start(self) -> None:
        """Queue the first check of all nodes."""
        self.queue.add(_ALL)

    async def reconcile(self, key: str) -> float | None:
        """Set the taints of one node, or check all nodes."""
        if key == _ALL:
            await self._check_all()
            return self.context.config.of(NodeLifecycleConfig).monitor_period
        node = self._nodes.get(key)
        if node is not None:
            await self._set_taints(node, evict=health.has_eviction_taint(node))
            await self._mark_pods(node)
        return None

    async def _check_all(self) -> None:
        nodes = self._nodes.all()
        self._register(nodes)
        now = self.context.clock.now()
        silent = [node for node in nodes if self._health.observe(node, self._lease(node), now)]
        after = {node.metadata.name: node for node in nodes}
        for start in range(0, len(silent), _PARALLEL):
            batch = silent[start : start + _PARALLEL]
            for node in await asyncio.gather(*(self._mark_silent(node) for node in batch)):
                after[node.metadata.name] = node
        zones: dict[str, list[Node]] = defaultdict(list)
        for node in after.values():
            zones[health.zone_of(node)].append(node)
        await self._evict(zones)

    def _lease(self, node: Node) -> Lease | None:
        return self._leases.find(node.metadata.name, NAMESPACE_NODE_LEASE)

    def _register(self, nodes: Sequence[Node]) -> None:
        """Record new nodes and forget deleted ones."""
        present = {node.metadata.name: node for node in nodes}
        known = self._health.names()
        for name in present.keys() - known:
            text = f"Node {name} event: Registered Node {name} in Controller"
            self.context.recorder.event(present[name], "Normal", "RegisteredNode", text)
        gone = known - present.keys()
        self._health.forget(gone)
        self._marked -= gone

    async def _mark_silent(self, node: Node) -> Node:
        """Write the conditions of a silent node, if they are not written yet."""
        conditions = health.silenced(node.status.conditions, self.context.clock.now())
        if conditions == node.status.conditions:
            return node
        if health.ready_status(node) == "True":
            self._record_not_ready(node)
        log.warning("node-lifecycle-controller: node %s is silent", node.metadata.name)
        try:
            return await self._api.update_status(replace(node, status=replace(node.status, conditions=conditions)))
        except (NotFound, Conflict):
            # The node changed, which is a sign of life, or it was deleted.
            return node

    def _record_not_ready(self, node: Node) -> None:
        text = f"Node {node.metadata.name} status is now: NodeNotReady"
        self.context.recorder.event(node, "Normal", "NodeNotReady", text)

    async def _evict(self, zones: dict[str, list[Node]]) -> None:
        """Set and remove NoExecute taints. If all nodes are down, the network is the likely cause: evict nothing."""
        config, now = self.context.config.of(NodeLifecycleConfig), self.context.clock.now()
        states = {zone: health.zone_state(nodes, config.unhealthy_zone_threshold) for zone, nodes in zones.items()}
        all_down = bool(states) and all(state == "FullDisruption" for state in states.values())
        if self._all_down and not all_down:
            self._health.reset(now)
        self._all_down = all_down
        for zone, nodes in zones.items():
            rate = 0.0 if all_down else health.eviction_rate(states[zone], len(nodes), config)
            for node in nodes:
                await self._set_taints(node, evict=not all_down and self._may_evict(node, zone, rate))
                await self._mark_pods(node)

    def _may_evict(self, node: Node, zone: str, rate: float) -> bool:
        """A node that is being emptied stays so; another one may start if the zone's rate allows it."""
        if not health.eviction_taint(node):
            return False
        return health.has_eviction_taint(node) or self._buckets[zone].take(rate, self.context.clock.now())

    async def _set_taints(self, node: Node, *, evict: bool) -> None:
        """Write the taints. After a conflict they are computed again from the latest version, so that a token of the
        eviction rate that was taken is not lost."""
        for _ in range(_ATTEMPTS):
            wanted = health.taints(node, evict, self.context.clock.now())
            if wanted == node.spec.taints:
                return
            meta = node.metadata
            body = {"metadata": {"resourceVersion": meta.resource_version}, "spec": {"taints": wanted or None}}
            try:
                await self._api.patch(meta.name, body)
            except NotFound:
                return
            except Conflict:
                node = await self._api.get(meta.name)
            else:
                return
        self.queue.add_after(node.metadata.name, 0.1)

    async def _mark_pods(self, node: Node) -> None:
        """Mark the pods of a node that is not ready as not ready, so that no Service sends traffic to them."""
        name = node.metadata.name
        if health.ready_status(node) == "True":
            self._marked.discard(name)
            return
        if name in self._marked:
            return
        self._marked.add(name)
        pods = [pod for pod in self._pods.by_index(BY_NODE, name) if podfacts.is_ready(pod)]
        for start in range(0, len(pods), _PARALLEL):
            batch = pods[start : start + _PARALLEL]
            done = await asyncio.gather(*(self._mark_pod(pod) for pod in batch))
            if not all(done):
                self._marked.discard(name)
                self.queue.add_after(name, 0.1)

    async def _mark_pod(self, pod: Pod) -> bool:
        """Set the pod's Ready condition to False; returns whether that succeeded."""
        meta = pod.metadata
        at = stamp(self.context.clock.now())
        conditions = [
            replace(item, status="False", last_transition_time=at) if item.type == "Ready" else item
            for item in pod.status.conditions
        ]
        body: dict[str, Any] = {
            "metadata": {"uid": meta.uid, "resourceVersion": meta.resource_version},
            "status": {"conditions": conditions},
        }
        self.context.recorder.event(pod, "Warning", "NodeNotReady", "Node is not ready")
        try:
            await self._pod_api.patch(meta.name, body, namespace=meta.namespace, subresource="status")
        except NotFound:
            return True
        except Conflict:
            return False
        return True


def _taint_view(node: Node) -> tuple[object, ...]:
    """All fields of a node that its taints depend on; heartbeats are not among them."""
    conditions = [(item.type, item.status) for item in node.status.conditions]
    return node.metadata.uid, conditions, node.spec.taints, node.spec.unschedulable
