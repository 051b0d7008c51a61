"""Services joined with their EndpointSlices: which changes are reported, in whatever order objects arrive."""

from pybernetes.api.core.service import Service, ServiceSpec
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.informer import Cache
from pybernetes.client.service_tracker import ServiceTracker


def service(name: str = "web", ip: str = "10.96.0.1") -> Service:
    return Service(metadata=ObjectMeta(name=name, namespace="d"), spec=ServiceSpec(cluster_ip=ip))


def part(name: str, owner: str = "web") -> EndpointSlice:
    labels = {"kubernetes.io/service-name": owner} if owner else {}
    return EndpointSlice(metadata=ObjectMeta(name=name, namespace="d", labels=labels), address_type="IPv4")


def names(tracker: ServiceTracker) -> dict[str, tuple[bool, list[str], bool]]:
    """What `take` returns: whether the Service is there, its slices, and whether it changed itself."""
    return {
        c.key: (c.service is not None, [s.metadata.name for s in c.slices], c.service_changed) for c in tracker.take()
    }


def test_slices_may_come_before_their_service() -> None:
    tracker = ServiceTracker()
    tracker.on_slice(None, part("web-1"))
    assert names(tracker) == {"d/web": (False, ["web-1"], False)}
    tracker.on_service(None, service())
    tracker.on_slice(None, part("web-2"))
    assert names(tracker) == {"d/web": (True, ["web-1", "web-2"], True)}
    assert names(tracker) == {}


def test_a_change_of_slices_alone_says_so() -> None:
    tracker = ServiceTracker()
    tracker.on_service(None, service())
    tracker.take()
    tracker.on_slice(None, part("web-1"))
    assert names(tracker) == {"d/web": (True, ["web-1"], False)}
    tracker.on_slice(part("web-1"), None)
    assert names(tracker) == {"d/web": (True, [], False)}


def test_a_slice_that_changes_its_label_changes_both_services() -> None:
    tracker = ServiceTracker()
    for name in ("web", "other"):
        tracker.on_service(None, service(name))
    tracker.on_slice(None, part("x"))
    tracker.take()
    tracker.on_slice(part("x"), part("x", "other"))
    assert names(tracker) == {"d/web": (True, [], False), "d/other": (True, ["x"], False)}
    tracker.on_slice(part("x", "other"), part("x", ""))
    assert names(tracker) == {"d/other": (True, [], False)}


def test_a_slice_without_the_label_is_ignored() -> None:
    woken = []
    tracker = ServiceTracker(changed=lambda: woken.append(1))
    tracker.on_slice(None, part("x", ""))
    assert (names(tracker), woken) == ({}, [])


def test_a_deleted_service_is_reported_once_and_keeps_its_slices_for_its_successor() -> None:
    tracker = ServiceTracker()
    tracker.on_service(None, service())
    tracker.on_slice(None, part("web-1"))
    tracker.take()
    tracker.on_service(service(), None)
    assert names(tracker) == {"d/web": (False, ["web-1"], True)}
    tracker.on_service(None, service())
    assert names(tracker) == {"d/web": (True, ["web-1"], True)}


def test_a_consumer_may_take_from_within_the_callback() -> None:
    seen: list[str] = []
    tracker = ServiceTracker(changed=lambda: seen.extend(change.key for change in tracker.take()))

    class Source:
        """An informer that already knows some objects."""

        def __init__(self, *objects: object) -> None:
            self.cache: Cache = Cache()
            for obj in objects:
                self.cache.put(obj)

        def add_handler(self, handler) -> None:  # type: ignore[no-untyped-def]
            for obj in self.cache.all():
                handler(None, obj)

    tracker.follow(Source(service(), service("other")), Source(part("web-1")))
    assert seen == ["d/web", "d/web", "d/other"]
