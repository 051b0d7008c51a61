"""Which pods a pod is spread among when it says nothing about it: those of its Services and its controller."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from pybernetes.api import labels
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.api.core.service import Service
from pybernetes.api.labels import Selector
from pybernetes.scheduler.template import Template


class Services(Protocol):
    """The cache of Services."""

    def by_index(self, index: str, value: str, /) -> list[Service]:
        """The Services of a namespace."""


class ReplicaSets(Protocol):
    """The cache of ReplicaSets."""

    def find(self, name: str, namespace: str = "") -> ReplicaSet | None:
        """One of them."""


class ReplicationControllers(Protocol):
    """The cache of ReplicationControllers."""

    def find(self, name: str, namespace: str = "") -> ReplicationController | None:
        """One of them."""


class DefaultSelectors:
    """Answers per template, remembered until a Service or a controller changes."""

    def __init__(
        self, services: Services, replica_sets: ReplicaSets, replication_controllers: ReplicationControllers
    ) -> None:
        self._services = services
        self._replica_sets = replica_sets
        self._replication_controllers = replication_controllers
        self._known: dict[Template, Selector | None] = {}

    def __call__(self, template: Template) -> Selector | None:
        """The selector, or None where there is neither Service nor controller."""
        if template not in self._known:
            if len(self._known) > 1024:
                self._known.clear()
            self._known[template] = self._find(template)
        return self._known[template]

    def changed(self) -> None:
        """Something that answers depend on has changed."""
        self._known.clear()

    def _find(self, template: Template) -> Selector | None:
        wanted: dict[str, str] = {}
        for service in self._services.by_index("namespace", template.namespace):
            selector = service.spec.selector
            if selector and _within(selector.items(), template.labels):
                wanted.update(selector)
        kind, name = template.owner
        requirements: tuple[labels.Requirement, ...] = ()
        if kind == "ReplicationController":
            controller = self._replication_controllers.find(name, template.namespace)
            wanted.update(controller.spec.selector if controller else {})
        elif kind == "ReplicaSet":
            replica_set = self._replica_sets.find(name, template.namespace)
            if replica_set is not None:
                requirements = labels.from_label_selector(replica_set.spec.selector).requirements
        found = (*labels.from_map(wanted).requirements, *requirements)
        return Selector(found) if found else None


def _within(wanted: Iterable[tuple[str, str]], present: Mapping[str, str]) -> bool:
    return all(present.get(key) == value for key, value in wanted)
