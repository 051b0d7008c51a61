"""Which pods a pod without spread constraints is spread among."""

from pybernetes.api.apps.replica_set import ReplicaSet, ReplicaSetSpec
from pybernetes.api.core.replication_controller import ReplicationController, ReplicationControllerSpec
from pybernetes.api.core.service import Service, ServiceSpec
from pybernetes.api.meta import LabelSelector, Object, ObjectMeta, OwnerReference
from pybernetes.scheduler.defaultspread import DefaultSelectors
from pybernetes.scheduler.objects import FixedObjects
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.spreading import SYSTEM_DEFAULTS, Constraints
from pybernetes.scheduler.template import Template, compile_template

from .make import pod


def selector(template: Template, *objects: Object) -> str | None:
    found = DefaultSelectors(FixedObjects(*objects))(template)
    return None if found is None else str(found)


def owned(kind: str = "", name: str = "", **labels: str) -> Template:
    made = pod("web", labels=labels)
    if kind:
        made.metadata.owner_references = [OwnerReference(kind=kind, name=name, controller=True)]
    return compile_template(made)


def meta(name: str, namespace: str = "default") -> ObjectMeta:
    return ObjectMeta(name=name, namespace=namespace)


def service(name: str, namespace: str = "default", **labels: str) -> Service:
    return Service(metadata=meta(name, namespace), spec=ServiceSpec(selector=labels))


def test_no_selector_without_service_and_controller() -> None:
    assert selector(owned(app="web")) is None


def test_services_and_replica_set_together() -> None:
    spec = ReplicaSetSpec(selector=LabelSelector(match_labels={"hash": "1"}))
    objects = (
        service("web", app="web"),
        service("other", app="other"),
        service("elsewhere", "team", tier="front"),
        service("manual"),
        ReplicaSet(metadata=meta("web-1"), spec=spec),
    )
    found = selector(owned("ReplicaSet", "web-1", app="web", hash="1", tier="front"), *objects)
    assert found == "app=web,hash=1"


def test_a_replication_controller() -> None:
    controller = ReplicationController(metadata=meta("web"), spec=ReplicationControllerSpec(selector={"app": "web"}))
    assert selector(owned("ReplicationController", "web", app="web"), controller) == "app=web"
    assert selector(owned("ReplicationController", "gone", app="web"), controller) is None


def test_default_constraints_are_kept_until_an_object_changes() -> None:
    objects, snapshot, wanted = FixedObjects(), Snapshot(), owned(app="web")
    constraints = Constraints(SYSTEM_DEFAULTS, DefaultSelectors(objects))
    assert constraints.soft(snapshot, wanted) == ()
    objects.of(Service).put(service("web", app="web"))
    assert constraints.soft(snapshot, wanted) == ()
    snapshot.objects_changed()
    keys = [constraint.topology_key for constraint in constraints.soft(snapshot, wanted)]
    assert keys == ["kubernetes.io/hostname", "topology.kubernetes.io/zone"]
    assert constraints.hard(snapshot, wanted) == ()
