"""A zone that follows Services and EndpointSlices."""

from collections.abc import Callable
from typing import Generic, TypeVar

from pybernetes.api.core.service import Service
from pybernetes.api.discovery.endpoint_slice import EndpointSlice
from pybernetes.dns.follow import follow
from pybernetes.dns.zone import Zone

from .test_zone import endpoints, ips, service

K = TypeVar("K")
WEB = "web.prod.svc.cluster.local"


class Feed(Generic[K]):
    """An informer without a server."""

    def add_handler(self, handler: Callable[[K | None, K | None], None]) -> None:
        self.change = handler


def following() -> tuple[Zone, Feed[Service], Feed[EndpointSlice]]:
    zone, services, slices = Zone(), Feed[Service](), Feed[EndpointSlice]()
    follow(zone, services, slices)
    return zone, services, slices


def test_a_headless_service_follows_its_slices() -> None:
    zone, services, slices = following()
    first = endpoints(("10.1.0.1", "", True))
    slices.change(None, first)
    assert not zone.lookup(WEB, 1).exists, "slices alone make no names"
    services.change(None, service("web", cluster_ip="None"))
    assert ips(zone, WEB) == ["10.1.0.1"]
    second = endpoints(("10.1.0.1", "", True), ("10.1.0.2", "", True))
    slices.change(first, second)
    assert ips(zone, WEB) == ["10.1.0.1", "10.1.0.2"]
    slices.change(second, None)
    assert ips(zone, WEB) == [] and zone.lookup(WEB, 1).exists


def test_slices_of_a_service_with_a_cluster_ip_do_not_change_the_zone() -> None:
    zone, services, slices = following()
    services.change(None, service("web", cluster_ip="10.96.0.9"))
    serial = zone.serial
    slices.change(None, endpoints(("10.1.0.1", "", True)))
    assert zone.serial == serial and ips(zone, WEB) == ["10.96.0.9"]


def test_a_deleted_service_leaves_no_names() -> None:
    zone, services, slices = following()
    web = service("web", cluster_ip="None")
    services.change(None, web)
    slices.change(None, endpoints(("10.1.0.1", "", True)))
    services.change(web, None)
    assert not zone.lookup(WEB, 1).exists
