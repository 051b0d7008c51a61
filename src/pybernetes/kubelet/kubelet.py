"""The kubelet: the tasks that keep the pods of one node going.

Two factories make kubelets: `real_node.real_kubelet` for one that runs containers on this machine, and
`simulated.node.simulated_kubelet` for one that keeps pods in memory. This module depends on neither.
"""

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Protocol

from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.node.reporter import NodeReporter
from pybernetes.kubelet.pods import PodManager, PodRegistry
from pybernetes.kubelet.runtime import Runtime
from pybernetes.kubelet.status_manager import StatusManager
from pybernetes.kubelet.types import PodSource

Task = tuple[str, Callable[[], Coroutine[None, None, None]]]
"""(name, function that runs until cancelled)"""


class Node(Protocol):
    """The parts of a kubelet that differ between a real and a simulated node."""

    registry: PodRegistry
    status: StatusManager
    pods: PodManager
    reporter: NodeReporter

    @property
    def port(self) -> int:
        """Port of the HTTPS server."""

    def tasks(self) -> Iterable[Task]:
        """Further tasks of this kind of node."""

    async def synced(self) -> None:
        """Wait until pods from the API server may start."""

    async def close(self) -> None:
        """End the tasks that parts of the node have started themselves."""


class Kubelet:
    """The kubelet of one node. Containers keep running when `run` is cancelled."""

    def __init__(self, config: KubeletConfig, runtime: Runtime, node: Node, source: PodSource) -> None:
        self.config = config
        self.runtime = runtime
        self.registry = node.registry
        self.pods = node.pods
        self._node = node
        self._source = source

    @property
    def port(self) -> int:
        """Port of the HTTPS server."""
        return self._node.port

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for name, task in self._tasks():
                    group.create_task(task(), name=f"{name} of {self.config.node_name}")
        finally:
            await self._node.close()

    def _tasks(self) -> Iterable[Task]:
        """All tasks. Pods come first, so that a restarted kubelet manages them again quickly."""
        yield "pods", self.pods.run
        yield "pod status", self._node.status.run
        yield "node", self._node.reporter.run
        yield "sources", self._follow_sources
        yield "runtime events", self._follow_runtime
        yield from self._node.tasks()

    async def _follow_sources(self) -> None:
        """Follow the pods of the API server. Once they have synced, remove orphaned pods."""
        await self._node.synced()
        self._source.subscribe(self.pods.handle)
        await self._source.synced()
        await self.pods.remove_orphans()

    async def _follow_runtime(self) -> None:
        async for uid in self.runtime.events():
            if uid:
                self.pods.poke(uid)
            else:
                self.pods.poke_all()
                self._node.reporter.poke()
