"""Registers the Node and maintains its status and its lease.

A changed status is reported immediately, an unchanged one every few minutes.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from pybernetes.api.coordination.lease import Lease, LeaseSpec
from pybernetes.api.core.node import Node, NodeStatus, NodeSystemInfo
from pybernetes.api.meta import ObjectMeta, OwnerReference
from pybernetes.api.wellknown import NAMESPACE_NODE_LEASE
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists, ApiError, Conflict, NotFound, Unreachable
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.node import machine
from pybernetes.kubelet.node.node_object import (
    Facts,
    Pressure,
    differs_in_heartbeat_only,
    node_labels,
    node_status,
    registration,
)
from pybernetes.kubelet.runtime import ImageInfo, Runtime, RuntimeFailure, RuntimeStatus
from pybernetes.kubelet.types import Clock, Recorder, rfc3339_micro
from pybernetes.kubelet.waiting import wait_at_most

log = logging.getLogger(__name__)

_RETRY = 0.5
_RETRY_MAX = 7.0
_NOT_READY_PERIOD = 0.5


class NodeReporter:
    """Maintains one Node object and one Lease."""

    def __init__(
        self,
        config: KubeletConfig,
        client: Client,
        runtime: Runtime,
        *,
        recorder: Recorder,
        clock: Clock,
        port: Callable[[], int],
        capacity: dict[str, str],
        allocatable: dict[str, str],
        pressure: Callable[[], Pressure],
    ) -> None:
        self._config = config
        self._nodes = client.of(Node)
        self._leases = client.of(Lease)
        self._runtime = runtime
        self._recorder = recorder
        self._clock = clock
        self._port = port
        self._capacity = capacity
        self._allocatable = allocatable
        self._pressure = pressure
        self._info: NodeSystemInfo | None = None
        self._sent: NodeStatus | None = None
        self._sent_at = 0.0
        self._node: Node | None = None
        self._wake = asyncio.Event()

    def poke(self) -> None:
        """Check the node's state now."""
        self._wake.set()

    async def run(self) -> None:
        """Register and report until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._report_forever(), name=f"node status of {self._config.node_name}")
            group.create_task(self._renew_forever(), name=f"lease of {self._config.node_name}")

    async def _report_forever(self) -> None:
        delay = _RETRY
        while True:
            try:
                ready = await self._report()
                pause, delay = self._config.status_check_period if ready else _NOT_READY_PERIOD, _RETRY
            except (ApiError, Unreachable) as error:
                log.debug("node status: %s", error)
                pause, delay = delay, min(delay * 2, _RETRY_MAX)
            self._wake.clear()
            await wait_at_most(self._wake, pause)

    async def _report(self) -> bool:
        """Update the Node if its status has changed; returns whether the node is ready."""
        facts = await self._facts()
        now = self._clock()
        previous = self._sent or (self._node.status if self._node is not None else NodeStatus())
        status = node_status(self._config, facts, previous, now)
        ready = status.conditions[-1].status == "True"
        fresh = self._sent is not None and now - self._sent_at < self._config.status_period
        if fresh and self._sent is not None and differs_in_heartbeat_only(status, self._sent):
            return ready
        status = await self._send(facts, status)
        self._record_events(self._sent, status)
        self._sent, self._sent_at = status, now
        return ready

    async def _facts(self) -> Facts:
        status: RuntimeStatus | None = None
        problem = ""
        images: tuple[ImageInfo, ...] = ()
        try:
            status = await self._runtime.status()
            if self._info is None:
                version = await self._runtime.version()
                self._info = machine.system_info(self._config, f"{version.name}://{version.version}")
            images = tuple(await self._runtime.list_images())
        except RuntimeFailure as error:
            problem = str(error)
        return Facts(
            capacity=self._capacity,
            allocatable=self._allocatable,
            info=self._info or machine.system_info(self._config, ""),
            runtime=status,
            problem=problem,
            pressure=self._pressure(),
            images=images,
            port=self._port(),
        )

    async def _send(self, facts: Facts, status: NodeStatus) -> NodeStatus:
        name = self._config.node_name
        for _ in range(3):
            try:
                node = self._node or await self._nodes.get(name)
            except NotFound:
                if not self._config.register_node:
                    raise
                node = await self._register(status)
            try:
                node = await self._keep_labels(node)
                merged = node_status(self._config, facts, node.status, self._clock())
                self._node = await self._nodes.update_status(msgspec.structs.replace(node, status=merged))
                return merged
            except (Conflict, NotFound):
                self._node = None
        raise Unreachable(f"node {name} changes faster than it can be written")

    async def _register(self, status: NodeStatus) -> Node:
        node = registration(self._config, machine.architecture(), status)
        try:
            created = await self._nodes.create(node)
        except AlreadyExists:
            return await self._nodes.get(self._config.node_name)
        log.info("registered node %s", self._config.node_name)
        return created

    async def _keep_labels(self, node: Node) -> Node:
        wanted = node_labels(self._config, machine.architecture())
        missing = {k: v for k, v in wanted.items() if node.metadata.labels.get(k) != v}
        if not missing:
            return node
        return await self._nodes.patch(node.metadata.name, {"metadata": {"labels": missing}})

    def _record_events(self, before: NodeStatus | None, after: NodeStatus) -> None:
        """Record an event for each changed condition."""
        old = {c.type: c.status for c in before.conditions} if before is not None else {}
        node = self._node
        if node is None:
            return
        for condition in after.conditions:
            if old.get(condition.type) == condition.status:
                continue
            if condition.type == "Ready":
                reason = "NodeReady" if condition.status == "True" else "NodeNotReady"
            elif condition.reason.startswith("Kubelet"):
                reason = condition.reason.replace("Kubelet", "Node", 1)
            else:
                continue
            message = f"Node {node.metadata.name} status is now: {reason}"
            self._recorder.event(node, "Normal", reason, message)

    async def _renew_forever(self) -> None:
        lease: Lease | None = None
        period = self._config.lease_duration / 4
        delay, phase = _RETRY, self._config.lease_phase
        while True:
            try:
                lease = await self._renew(lease)
                pause, delay, phase = period * phase, _RETRY, 1.0
            except (ApiError, Unreachable) as error:
                log.debug("node lease: %s", error)
                lease = None
                pause, delay = delay, min(delay * 2, _RETRY_MAX)
            await asyncio.sleep(pause)

    async def _renew(self, lease: Lease | None) -> Lease:
        name = self._config.node_name
        spec = LeaseSpec(
            holder_identity=name,
            lease_duration_seconds=self._config.lease_duration,
            renew_time=rfc3339_micro(self._clock()),
        )
        if lease is None:
            try:
                lease = await self._leases.get(name, namespace=NAMESPACE_NODE_LEASE)
            except NotFound:
                return await self._leases.create(self._new_lease(spec))
        return await self._leases.update(msgspec.structs.replace(lease, spec=spec))

    def _new_lease(self, spec: LeaseSpec) -> Lease:
        owners = []
        if self._node is not None:
            uid = self._node.metadata.uid
            owners = [OwnerReference(api_version="v1", kind="Node", name=self._config.node_name, uid=uid)]
        meta = ObjectMeta(name=self._config.node_name, namespace=NAMESPACE_NODE_LEASE, owner_references=owners)
        return Lease(metadata=meta, spec=spec)
