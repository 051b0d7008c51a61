"""Where pods come from: the API server, through an informer; one per node, or one shared by many nodes."""

from collections import defaultdict

from pybernetes.api.core.pod import Pod
from pybernetes.client.informer import Informer, Informers
from pybernetes.kubelet.types import PodHandler


class NodePods:
    """The pods of one node, by a watch of its own."""

    def __init__(self, informers: Informers, node_name: str) -> None:
        self._informer: Informer[Pod] = informers.of(Pod, field_selector=f"spec.nodeName={node_name}")

    def subscribe(self, handler: PodHandler) -> None:
        """Tell of every pod."""
        self._informer.add_handler(handler)

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._informer.synced()


class SharedPods:
    """The pods of many (simulated) nodes, by one watch of all pods."""

    def __init__(self, informers: Informers) -> None:
        self._informer: Informer[Pod] = informers.of(Pod)
        self._handlers: dict[str, list[PodHandler]] = defaultdict(list)
        self._informer.add_handler(self._dispatch)

    def of(self, node_name: str) -> "_OneOfMany":
        """The source of one node."""
        return _OneOfMany(self, node_name)

    def subscribe(self, node_name: str, handler: PodHandler) -> None:
        """Tell of every pod of a node."""
        self._handlers[node_name].append(handler)
        for pod in self._informer.cache.all():
            if pod.spec.node_name == node_name:
                handler(None, pod)

    async def synced(self) -> None:
        """Wait for the first list."""
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
    """A `PodSource` of one node, out of a shared one."""

    def __init__(self, shared: SharedPods, node_name: str) -> None:
        self._shared = shared
        self._node_name = node_name

    def subscribe(self, handler: PodHandler) -> None:
        """Tell of every pod of the node."""
        self._shared.subscribe(self._node_name, handler)

    async def synced(self) -> None:
        """Wait for the first list."""
        await self._shared.synced()
