"""The kubelet: the tasks that keep the pods of one node going.

Two factories make one: `real_node.real_kubelet` runs containers on this machine, `simulated.node.simulated_kubelet`
keeps pods in memory. This module knows neither.
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
"""(name, what to run until it is cancelled)"""


class Node(Protocol):
    """What a kubelet works with; a real node and a simulated one make it differently."""

    registry: PodRegistry
    status: StatusManager
    pods: PodManager
    reporter: NodeReporter

    @property
    def port(self) -> int:
        """Port of the HTTPS server."""

    def tasks(self) -> Iterable[Task]:
        """Tasks that only this kind of node has."""

    async def synced(self) -> None:
        """Wait for everything that has to be known before the API server's pods may start."""

    async def close(self) -> None:
        """End what has tasks of its own."""


class Kubelet:
    """The kubelet of one node. `run` works until cancelled; containers go on running after it."""

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
        """Everything that runs as long as the kubelet does; pods come first, so that a restart finds them quickly."""
        yield "pods", self.pods.run
        yield "pod status", self._node.status.run
        yield "node", self._node.reporter.run
        yield "sources", self._follow_sources
        yield "runtime events", self._follow_runtime
        yield from self._node.tasks()

    async def _follow_sources(self) -> None:
        """Follow the API server's pods; once all are known, remove pods that the runtime has and no source names."""
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
