"""The catalogue: which resources the server serves now.

Custom resources and aggregated APIs come and go while the server runs. So routing, discovery and OpenAPI ask the
catalogue on every request, and keep what they have built from it only as long as its generation stays the same. What
has to act on a change (a watch of a removed resource ends) subscribes.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pybernetes.api.kind import Kind
from pybernetes.apiserver.resource import Resource, ResourceName


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the catalogue: a resource that was added (no `old`), removed (no `new`) or replaced."""

    old: Resource | None
    new: Resource | None


Listener = Callable[[Change], None]


class Catalogue:
    """The resources by group, version and plural, in the order of discovery.

    Kinds that are never stored, such as reviews, are resources, too.
    """

    def __init__(self, resources: Iterable[Resource] = ()) -> None:
        self._resources: dict[tuple[str, str, str], Resource] = {}
        self._kinds: tuple[Kind[Any], ...] | None = None
        self._listeners: list[Listener] = []
        self.generation = 0
        """rises with every change"""
        for resource in resources:
            self.add(resource)

    def __iter__(self) -> Iterator[Resource]:
        return iter(tuple(self._resources.values()))

    def get(self, group: str, version: str, plural: str) -> Resource | None:
        """A resource as a URL path names it."""
        return self._resources.get((group, version, plural))

    def of(self, kind: Kind[Any]) -> Resource:
        """The resource of a kind. Raises KeyError when it is not served."""
        return self._resources[ResourceName(kind.group, kind.version, kind.plural)]

    @property
    def kinds(self) -> tuple[Kind[Any], ...]:
        """The kinds of all resources; the same tuple until the catalogue changes."""
        if self._kinds is None:
            self._kinds = tuple(resource.kind for resource in self._resources.values())
        return self._kinds

    def add(self, resource: Resource) -> None:
        """Serve a resource from now on. Raises ValueError for one that is served already."""
        if resource.name in self._resources:
            raise ValueError(f"{resource.kind.resource} in version {resource.kind.version} is served already")
        self._resources[resource.name] = resource
        self._changed(Change(None, resource))

    def replace(self, resource: Resource) -> None:
        """Serve a resource in place of the one of the same name. Raises KeyError when there is none."""
        old = self._resources[resource.name]
        self._resources[resource.name] = resource
        self._changed(Change(old, resource))

    def remove(self, name: ResourceName) -> None:
        """Stop serving a resource; its stored objects stay. Raises KeyError when it is not served."""
        self._changed(Change(self._resources.pop(name), None))

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after every change, until the function that this returns is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _changed(self, change: Change) -> None:
        self.generation += 1
        self._kinds = None
        for listener in tuple(self._listeners):
            listener(change)
