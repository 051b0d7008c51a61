"""Joins Services with their EndpointSlices, for everything that turns Services into something else.

kube-proxy and the DNS server both need the same view: a Service, all slices that carry its name in the label
`kubernetes.io/service-name`, and which Services changed since they last looked. Informers feed the tracker; `take`
returns the changes. Pure: no I/O and no clock.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.api.wellknown import LABEL_SERVICE_NAME

K_co = TypeVar("K_co", covariant=True)


class Source(Protocol[K_co]):
    """Where objects come from: an informer, or a stub in a test."""

    def add_handler(self, handler: Callable[[K_co | None, K_co | None], None]) -> None:
        """Call `handler(old, new)` for each object already known, and then for each change."""


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """A Service that changed, with all of its EndpointSlices as they are now."""

    key: str
    """`namespace/name`"""
    service: Service | None
    """None when there is no such Service (any more); `slices` may still hold some."""
    slices: tuple[EndpointSlice, ...]
    service_changed: bool
    """False when only the slices changed."""


def service_key(part: EndpointSlice) -> str:
    """`namespace/name` of the Service that a slice belongs to; empty for a slice without the label."""
    name = part.metadata.labels.get(LABEL_SERVICE_NAME)
    return f"{part.metadata.namespace}/{name}" if name else ""


class ServiceTracker:
    """Knows every Service and EndpointSlice, and which Services changed since the last `take`."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        """`changed` is called at each change; it may call `take` at once, or wake a loop that calls it later."""
        self._changed = changed
        self._services: dict[str, Service] = {}
        self._slices: dict[str, dict[str, EndpointSlice]] = {}
        """slices by their own name, by the key of their Service"""
        self._dirty: dict[str, bool] = {}
        """key -> whether the Service itself changed"""

    def follow(self, services: Source[Service], slices: Source[EndpointSlice]) -> None:
        """Take all objects from two informers."""
        slices.add_handler(self.on_slice)
        services.add_handler(self.on_service)

    def on_service(self, old: Service | None, new: Service | None) -> None:
        """A Service was created (no old), changed, or was deleted (no new)."""
        present = new or old
        if present is None:
            return
        key = f"{present.metadata.namespace}/{present.metadata.name}"
        if new is not None:
            self._services[key] = new
        else:
            self._services.pop(key, None)
        self._dirty[key] = True
        self._changed()

    def on_slice(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        """A slice was created, changed or deleted. A slice whose label changed moves from one Service to another."""
        before = service_key(old) if old is not None else ""
        after = service_key(new) if new is not None else ""
        if old is not None and before and before != after:
            self._drop(before, old.metadata.name)
        if new is not None and after:
            self._slices.setdefault(after, {})[new.metadata.name] = new
        for key in {before, after} - {""}:
            self._dirty.setdefault(key, False)
        if before or after:
            self._changed()

    def _drop(self, key: str, name: str) -> None:
        parts = self._slices.get(key, {})
        parts.pop(name, None)
        if not parts:
            self._slices.pop(key, None)

    def take(self) -> list[ServiceChange]:
        """The Services that changed since the last call, each once."""
        dirty, self._dirty = self._dirty, {}
        return [self._change(key, service_changed) for key, service_changed in dirty.items()]

    def _change(self, key: str, service_changed: bool) -> ServiceChange:
        return ServiceChange(key, self._services.get(key), tuple(self._slices.get(key, {}).values()), service_changed)
