"""Which pods a pod without spread constraints is spread among: those of its Services and its controller."""

from collections.abc import Iterable, Mapping

from pybernetes.api import labels
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.api.core.service import Service
from pybernetes.api.labels import Selector
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.template import Template


class DefaultSelectors:
    """Computes the selector from the caches of Services, ReplicaSets and ReplicationControllers."""

    def __init__(self, objects: Objects) -> None:
        self._services = objects.of(Service)
        self._replica_sets = objects.of(ReplicaSet)
        self._replication_controllers = objects.of(ReplicationController)

    def __call__(self, template: Template) -> Selector | None:
        """The selector, or None where there is neither Service nor controller."""
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
