"""Follows every resource of the server for the garbage collector, with metadata-only watches.

Which resources there are is what discovery reports. A resource whose group version can't be discovered at the moment
stays followed: that it is unknown does not mean that it is gone.
"""

import asyncio
import logging
from collections.abc import Callable, Set

from pybernetes.client.api_resource import ApiResource
from pybernetes.client.catalogue import Catalogue
from pybernetes.client.client import Client
from pybernetes.client.reflector import Reflector
from pybernetes.client.resource import PartialObjectMetadata
from pybernetes.controllers.gc_graph import Graph, Work, item_of

log = logging.getLogger(__name__)

VERBS = frozenset({"delete", "list", "watch"})
_PAGE = 500
IGNORED = frozenset({("", "events"), ("events.k8s.io", "events")})
"""Resources that own nothing and expire by themselves."""


def collected(catalogue: Catalogue) -> dict[str, ApiResource]:
    """The resources in the graph: all that can be deleted and watched, by name, group and version."""
    return {
        str(resource): resource
        for resource in catalogue.preferred()
        if resource.verbs >= VERBS and (resource.group, resource.plural) not in IGNORED
    }


class Monitor:
    """Feeds the objects of one resource into the graph: the sink of a reflector."""

    def __init__(
        self,
        resource: ApiResource,
        graph: Graph,
        *,
        enqueue: Callable[[list[Work]], None],
        gone: Callable[[str, str], None],
    ) -> None:
        """`gone(namespace, uid)` is called for each object that was deleted."""
        self.resource = resource
        self._graph = graph
        self._enqueue = enqueue
        self._gone = gone

    def put(self, obj: PartialObjectMetadata) -> None:
        """An object appeared, changed, or was listed."""
        known = self._graph.items.get(obj.metadata.uid)
        if known is None or not known.shows(obj.metadata):
            self._enqueue(self._graph.put(item_of(self.resource, obj.metadata)))

    def retain(self, uids: Set[str]) -> None:
        """The resource was listed: objects that were not in the list were deleted."""
        for item in self._graph.of_resource(self.resource):
            if item.uid not in uids:
                self._remove(item.namespace, item.uid)

    def remove(self, obj: PartialObjectMetadata) -> None:
        """An object was deleted."""
        self._remove(obj.metadata.namespace, obj.metadata.uid)

    def _remove(self, namespace: str, uid: str) -> None:
        self._gone(namespace, uid)
        self._enqueue(self._graph.remove(uid))


class Monitors:
    """One watch per resource, started and stopped as discovery reports."""

    def __init__(self, client: Client, tasks: asyncio.TaskGroup, monitor: Callable[[ApiResource], Monitor]) -> None:
        self._client = client
        self._tasks = tasks
        self._monitor = monitor
        self._running: dict[str, tuple[Reflector[PartialObjectMetadata], asyncio.Task[None]]] = {}

    def follow(self, catalogue: Catalogue) -> list[ApiResource]:
        """Start and stop watches so that all collected resources are followed. Returns those no longer followed."""
        wanted = collected(catalogue)
        if not wanted:
            log.warning("garbage collector: discovery reports no resources, so those followed now stay")
            return []
        for name, resource in wanted.items():
            if name not in self._running:
                source, sink = self._client.metadata(resource), self._monitor(resource)
                reflector = Reflector(source, sink, page_size=_PAGE)
                task = self._tasks.create_task(reflector.run(), name=f"garbage collector: watch {name}")
                self._running[name] = (reflector, task)
        stopped = []
        for name, (reflector, task) in list(self._running.items()):
            resource = reflector.api
            if name not in wanted and not (resource.api_version in catalogue.failed and reflector.has_synced):
                task.cancel()
                del self._running[name]
                stopped.append(resource)
        return stopped

    async def synced(self) -> None:
        """Wait until all resources followed now have been listed."""
        for reflector, _ in list(self._running.values()):
            await reflector.synced()
