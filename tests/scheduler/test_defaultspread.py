"""Which pods a pod is spread among when it does not say."""

from pybernetes.api.apps.replica_set import ReplicaSet, ReplicaSetSpec
from pybernetes.api.core.replication_controller import ReplicationController, ReplicationControllerSpec
from pybernetes.api.core.service import Service, ServiceSpec
from pybernetes.api.meta import LabelSelector, ObjectMeta, OwnerReference
from pybernetes.client.informer import Cache
from pybernetes.scheduler.defaultspread import DefaultSelectors
from pybernetes.scheduler.template import Template, compile_template

from .make import pod


class Caches:
    """The caches that informers would fill."""

    def __init__(self) -> None:
        self.services: Cache[Service] = Cache()
        self.replica_sets: Cache[ReplicaSet] = Cache()
        self.controllers: Cache[ReplicationController] = Cache()
        self.selectors = DefaultSelectors(self.services, self.replica_sets, self.controllers)


def owned(kind: str = "", name: str = "", **labels: str) -> Template:
    made = pod("web", labels=labels)
    if kind:
        made.metadata.owner_references = [OwnerReference(kind=kind, name=name, controller=True)]
    return compile_template(made)


def meta(name: str, namespace: str = "default") -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace)


def test_nothing_without_service_and_controller() -> None:
    assert Caches().selectors(owned(app="web")) is None


def test_services_and_replica_set_together() -> None:
    caches = Caches()
    caches.services.put(Service(metadata=meta("web"), spec=ServiceSpec(selector={"app": "web"})))
    caches.services.put(Service(metadata=meta("other"), spec=ServiceSpec(selector={"app": "other"})))
    caches.services.put(Service(metadata=meta("elsewhere", "team"), spec=ServiceSpec(selector={"tier": "front"})))
    caches.services.put(Service(metadata=meta("manual"), spec=ServiceSpec()))
    spec = ReplicaSetSpec(selector=LabelSelector(match_labels={"hash": "1"}))
    caches.replica_sets.put(ReplicaSet(metadata=meta("web-1"), spec=spec))
    found = caches.selectors(owned("ReplicaSet", "web-1", app="web", hash="1", tier="front"))
    assert str(found) == "app=web,hash=1"


def test_a_replication_controller() -> None:
    caches = Caches()
    spec = ReplicationControllerSpec(selector={"app": "web"})
    caches.controllers.put(ReplicationController(metadata=meta("web"), spec=spec))
    assert str(caches.selectors(owned("ReplicationController", "web", app="web"))) == "app=web"
    assert caches.selectors(owned("ReplicationController", "gone", app="web")) is None


def test_answers_are_kept_until_something_changes() -> None:
    caches, wanted = Caches(), owned(app="web")
    assert caches.selectors(wanted) is None
    caches.services.put(Service(metadata=meta("web"), spec=ServiceSpec(selector={"app": "web"})))
    assert caches.selectors(wanted) is None
    caches.selectors.changed()
    assert str(caches.selectors(wanted)) == "app=web"
