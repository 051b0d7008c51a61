"""From changes of Services and EndpointSlices to changes of virtual servers."""

from collections.abc import Callable, Iterable

from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.client.informer import Informer
from pybernetes.proxy.model import SERVICE_NAME, VirtualServer, virtual_servers


def service_key(part: EndpointSlice) -> tuple[str, ...]:
    """The Service that a slice belongs to, as `namespace/name`."""
    name = part.metadata.labels.get(SERVICE_NAME)
    return (f"{part.metadata.namespace}/{name}",) if name else ()


class Tracker:
    """Remembers which Services changed and what they were; `take` gives the differences since the last call."""

    def __init__(
        self,
        services: Informer[Service],
        slices: Informer[EndpointSlice],
        *,
        node: str,
        versions: Iterable[int],
        changed: Callable[[], None],
    ) -> None:
        self._services = services.cache
        self._slices = slices.cache
        self._node = node
        self._versions = tuple(versions)
        self._dirty: set[str] = set()
        self._known: dict[str, dict[int, dict[str, VirtualServer]]] = {}
        self._changed = changed
        slices.cache.add_index("service", service_key)
        services.add_handler(self._on_service)
        slices.add_handler(self._on_slice)

    def _on_service(self, old: Service | None, new: Service | None) -> None:
        present = new or old
        if present is not None:
            self._mark(f"{present.metadata.namespace}/{present.metadata.name}")

    def _on_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for part in (old, new):
            for key in service_key(part) if part is not None else ():
                self._mark(key)

    def _mark(self, key: str) -> None:
        self._dirty.add(key)
        self._changed()

    def take(self) -> dict[int, list[tuple[VirtualServer | None, VirtualServer | None]]]:
        """Per family, (old, new) of each virtual server that differs."""
        changes: dict[int, list[tuple[VirtualServer | None, VirtualServer | None]]] = {v: [] for v in self._versions}
        for key in self._dirty:
            service = self._services.get(key)
            before = self._known.pop(key, {})
            after: dict[int, dict[str, VirtualServer]] = {}
            if service is not None:
                slices = self._slices.by_index("service", key)
                for version in self._versions:
                    servers = virtual_servers(service, slices, self._node, version)
                    after[version] = {server.key: server for server in servers}
                self._known[key] = after
            for version in self._versions:
                old, new = before.get(version, {}), after.get(version, {})
                for name in {**old, **new}:
                    if old.get(name) != new.get(name):
                        changes[version].append((old.get(name), new.get(name)))
        self._dirty.clear()
        return changes

    def all(self, version: int) -> list[VirtualServer]:
        """Every virtual server known."""
        return [server for known in self._known.values() for server in known.get(version, {}).values()]
