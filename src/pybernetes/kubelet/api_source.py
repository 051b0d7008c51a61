"""Sources of pods: an informer for one node, or one informer shared by many nodes."""

from collections import defaultdict

from pybernetes.api.core.pod import Pod
from pybernetes.client.informer import Informer, Informers
from pybernetes.kubelet.types import PodHandler


class NodePods:
    """The pods of one node, from a watch for that node only."""

    def __init__(self, informers: Informers, node_name: str) -> None:
        self._informer: Informer[Pod] = informers.of(Pod, field_selector=f"spec.nodeName={node_name}")

    def subscribe(self, handler: PodHandler) -> None:
        """Call `handler` for every pod and every change."""
        self._informer.add_handler(handler)

    async def synced(self) -> None:
        """Wait until the first list has been handled."""
        await self._informer.synced()


class SharedPods:
    """The pods of many simulated nodes, from one watch of all pods."""

    def __init__(self, informers: Informers) -> None:
        self._informer: Informer[Pod] = informers.of(Pod)
        self._handlers: dict[str, list[PodHandler]] = defaultdict(list)
        self._informer.add_handler(self._dispatch)

    def of(self, node_name: str) -> "_OneOfMany":
        """The source for one node."""
        return _OneOfMany(self, node_name)

    def subscribe(self, node_name: str, handler: PodHandler) -> None:
        """Call `handler` for every pod of a node and every change."""
        self._handlers[node_name].append(handler)
        for pod in self._informer.cache.all():
            if pod.spec.node_name == node_name:
                handler(None, pod)

    async def synced(self) -> None:
        """Wait until the first list has been handled."""
        await self._informer.synced()

    def _dispatch(self, old: Pod | None, new: Pod | None) -> None:
        was = old.spec.node_name if old is not None else ""
        now = new.spec.node_name if new is not None else ""
        if now:
            for handler in self._handlers.get(now, ()):
                handler(old if was == now else None, new)
        if was and was != now:
            for handler in self._handlers.get(was, ()):
                handler(old, None)


class _OneOfMany:
    """The part of a `SharedPods` that belongs to one node; a `PodSource`."""

    def __init__(self, shared: SharedPods, node_name: str) -> None:
        self._shared = shared
        self._node_name = node_name

    def subscribe(self, handler: PodHandler) -> None:
        """Call `handler` for every pod of the node and every change."""
        self._shared.subscribe(self._node_name, handler)

    async def synced(self) -> None:
        """Wait until the first list has been handled."""
        await self._shared.synced()
