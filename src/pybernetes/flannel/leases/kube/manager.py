"""The kube subnet manager: Nodes hold the leases, a file holds the network config.

`annotations.py` defines what a lease looks like on a Node; this follows the Nodes and the file, and writes our Node.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pybernetes.api.core.node import Node
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Forbidden, Unreachable
from pybernetes.client.informer import Informer
from pybernetes.client.resource import STRATEGIC_MERGE_PATCH
from pybernetes.flannel.config import IPAddress, NetworkConfig
from pybernetes.flannel.leases.kube import annotations as kube
from pybernetes.flannel.leases.lease import Lease, LeaseError
from pybernetes.flannel.leases.manager import ManagerUnavailable, Offer, OwnSubnets
from pybernetes.linux import inotify

log = logging.getLogger(__name__)


class KubeManager:
    """A SubnetManager on Node objects."""

    def __init__(
        self,
        client: Client,
        nodes: Informer[Node],
        *,
        node_name: str,
        net_conf: Path,
        set_condition: bool = True,
        patience: float = 5.0,
        prefix: str = kube.PREFIX,
    ) -> None:
        """`set_condition`: whether to clear the condition NetworkUnavailable; `patience`: seconds to wait for an
        answer, during which no pass runs; `prefix`: of annotations.
        """
        self._names = kube.Names(prefix)
        self._patience = patience
        self._set_condition = set_condition
        self._client = client.of(Node)
        self._nodes = nodes
        self._node_name = node_name
        self._net_conf = net_conf
        self._known: dict[str, tuple[Any, Lease | None]] = {}

    def describe(self) -> str:
        """In the words of Go flanneld."""
        return f"Kubernetes Subnet Manager - {self._node_name}"

    async def run(self, changed: Callable[[], None]) -> None:
        """Follow Nodes and file. The file may be replaced by renaming, so its directory is watched."""

        def node_changed(old: Node | None, new: Node | None) -> None:
            # Heartbeats change Nodes all the time; ignore changes to anything but leases.
            if old is None or new is None or self._lease_facts(old) != self._lease_facts(new):
                changed()

        self._nodes.add_handler(node_changed)
        watcher = inotify.Watcher()
        try:
            watcher.add(self._net_conf.parent, inotify.CLOSE_WRITE | inotify.MOVED_TO | inotify.CREATE)
            while True:
                await watcher.wait()
                changed()
        finally:
            watcher.close()

    async def synced(self) -> None:
        """Until all Nodes are known."""
        await self._nodes.synced()

    def config(self) -> str:
        """The file's text. Raises OSError."""
        return self._net_conf.read_text()

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        """Those of our podCIDRs."""
        subnets = kube.subnets(self._node(), config)
        if not subnets:
            raise LeaseError(f"{self._node_name}: {kube.NO_SUBNET}")
        return sorted(subnets)

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        """From our annotations."""
        return kube.announced(self._node(), self._names)

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        """The podCIDRs, and the public addresses that an administrator set in annotations."""
        node = self._node()
        return OwnSubnets(self._node_name, kube.subnets(node, config), kube.overwritten(node, self._names))

    async def announce(self, lease: Lease) -> None:
        """Write our annotations, and clear the condition that keeps pods away. Raises LeaseError if forbidden."""
        try:
            async with asyncio.timeout(self._patience):
                await self._announce(lease)
        except Forbidden as error:
            raise LeaseError(f"lease not announced: {error}") from error
        except (ApiError, Unreachable) as error:
            raise ManagerUnavailable(f"lease not announced: {error}") from error
        except TimeoutError as error:
            raise ManagerUnavailable(f"lease not announced: no answer for {self._patience:.0f} s") from error

    async def _announce(self, lease: Lease) -> None:
        node, notes = self._node(), kube.annotations(lease, self._names)
        if any(node.metadata.annotations.get(key) != value for key, value in notes.items()):
            # Through the status subresource, as Go flannel does: its ClusterRole allows no more.
            await self._client.patch(node.metadata.name, {"metadata": {"annotations": notes}}, subresource="status")
            log.info("announced %s: %s", lease.backend, ", ".join(str(f.subnet) for f in lease.families))
        cleared = any(c.type == "NetworkUnavailable" and c.status == "False" for c in node.status.conditions)
        if self._set_condition and not cleared:
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            await self._client.patch(
                node.metadata.name,
                {"status": {"conditions": [kube.condition(now)]}},
                subresource="status",
                content_type=STRATEGIC_MERGE_PATCH,
            )

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        """From the annotations of all Nodes."""
        leases, faults = [], []
        nodes = self._nodes.cache.all()
        for gone in self._known.keys() - {node.metadata.name for node in nodes}:
            del self._known[gone]
        for node in nodes:
            try:
                lease = self._lease_of(node, config)
            except LeaseError as error:
                faults.append(f"{node.metadata.name}: {error}; skipped")
                continue
            if lease is not None:
                leases.append(lease)
        return leases, faults

    def _lease_of(self, node: Node, config: NetworkConfig) -> Lease | None:
        """The lease of a Node; the same object as before if no part of it has changed."""
        facts = (config, self._lease_facts(node))
        known = self._known.get(node.metadata.name)
        if known is None or known[0] != facts:
            known = self._known[node.metadata.name] = (facts, kube.lease_of(node, config, self._names))
        return known[1]

    def _node(self) -> Node:
        node = self._nodes.cache.find(self._node_name)
        if node is None:
            raise LeaseError(f"node {self._node_name} is not registered yet")
        return node

    def _lease_facts(self, node: Node) -> tuple[Any, ...]:
        notes = node.metadata.annotations
        wanted = self._names.prefix
        ours = tuple(sorted((k, v) for k, v in notes.items() if k.startswith(wanted) or k == kube.CLUSTER_ID))
        unavailable = any(c.type == "NetworkUnavailable" and c.status != "False" for c in node.status.conditions)
        return (ours, tuple(node.spec.pod_cidrs), node.spec.pod_cidr, unavailable)
