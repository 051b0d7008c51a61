"""Names of Services and endpoints, against the DNS specification's table."""

import ipaddress

import pytest

from pybernetes.api.core.service import Service, ServicePort, ServiceSpec
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from pybernetes.api.meta import ObjectMeta
from pybernetes.dns import wire
from pybernetes.dns.zone import Zone


def service(name: str, **spec: object) -> Service:
    ports = [ServicePort(name="http", protocol="TCP", port=80), ServicePort(name="dns", protocol="UDP", port=53)]
    return Service(
        metadata=ObjectMeta(name=name, namespace="prod"),
        spec=ServiceSpec(**{"ports": ports, "type": "ClusterIP", **spec}),  # type: ignore[arg-type]
    )


def endpoints(*items: tuple[str, str, bool]) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name="web-1", namespace="prod", labels={"kubernetes.io/service-name": "web"}),
        address_type="IPv4",
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
        endpoints=[
            Endpoint(addresses=[ip], hostname=host, conditions=EndpointConditions(ready=ready))
            for ip, host, ready in items
        ],
    )


def ips(zone: Zone, name: str, qtype: int = wire.A) -> list[str]:
    return sorted(str(ipaddress.ip_address(r.data)) for r in zone.lookup(name, qtype).records if r.type == qtype)


@pytest.fixture
def zone() -> Zone:
    return Zone()


def test_cluster_ip_of_each_family(zone: Zone) -> None:
    zone.update(service("web", cluster_ip="10.96.0.9", cluster_ips=["10.96.0.9", "fd00::9"]), [])
    assert ips(zone, "web.prod.svc.cluster.local") == ["10.96.0.9"]
    assert ips(zone, "web.prod.svc.cluster.local", wire.AAAA) == ["fd00::9"]
    reverse = zone.lookup_reverse("9.0.96.10.in-addr.arpa")
    assert reverse is not None and reverse.data == wire.write_name("web.prod.svc.cluster.local")


def test_srv_of_named_ports(zone: Zone) -> None:
    zone.update(service("web", cluster_ip="10.96.0.9"), [])
    (srv,) = zone.lookup("_http._tcp.web.prod.svc.cluster.local", wire.SRV).records
    assert srv.data == wire.srv_data(0, 100, 80, "web.prod.svc.cluster.local")
    assert zone.lookup("_tcp.web.prod.svc.cluster.local", wire.SRV).exists
    assert not zone.lookup("_ftp._tcp.web.prod.svc.cluster.local", wire.SRV).exists


def test_headless_has_ready_endpoints_only(zone: Zone) -> None:
    part = endpoints(("10.1.0.1", "web-0", True), ("10.1.0.2", "", True), ("10.1.0.3", "", False))
    zone.update(service("web", cluster_ip="None"), [part])
    assert ips(zone, "web.prod.svc.cluster.local") == ["10.1.0.1", "10.1.0.2"]
    assert ips(zone, "web-0.web.prod.svc.cluster.local") == ["10.1.0.1"]
    assert ips(zone, "10-1-0-2.web.prod.svc.cluster.local") == ["10.1.0.2"]
    targets = {r.data for r in zone.lookup("_http._tcp.web.prod.svc.cluster.local", wire.SRV).records}
    assert wire.srv_data(0, 100, 8080, "web-0.web.prod.svc.cluster.local") in targets
    reverse = zone.lookup_reverse("1.0.1.10.in-addr.arpa")
    assert reverse is not None and reverse.data == wire.write_name("web-0.web.prod.svc.cluster.local")


def test_headless_publishes_endpoints_that_are_not_ready_on_request(zone: Zone) -> None:
    part = endpoints(("10.1.0.3", "", False))
    zone.update(service("web", cluster_ip="None", publish_not_ready_addresses=True), [part])
    assert ips(zone, "web.prod.svc.cluster.local") == ["10.1.0.3"]


def test_external_name_is_an_alias(zone: Zone) -> None:
    zone.update(service("web", type="ExternalName", external_name="example.org"), [])
    answer = zone.lookup("web.prod.svc.cluster.local", wire.A)
    assert answer.alias == "example.org"
    assert answer.records[0].data == wire.write_name("example.org")


def test_pod_names_spell_addresses(zone: Zone) -> None:
    zone.update(service("web", cluster_ip="10.96.0.9"), [])
    assert ips(zone, "10-1-2-3.prod.pod.cluster.local") == ["10.1.2.3"]
    assert not zone.lookup("hello.prod.pod.cluster.local", wire.A).exists


@pytest.mark.parametrize(
    ("name", "exists"),
    [
        ("cluster.local", True),
        ("svc.cluster.local", True),
        ("prod.svc.cluster.local", True),
        ("other.svc.cluster.local", False),
        ("no.prod.svc.cluster.local", False),
        ("dns-version.cluster.local", True),
        ("nothing.cluster.local", False),
    ],
)
def test_names_without_addresses(zone: Zone, name: str, exists: bool) -> None:
    zone.update(service("web", cluster_ip="10.96.0.9"), [])
    assert zone.lookup(name, wire.A).exists is exists


def test_a_removed_service_leaves_nothing(zone: Zone) -> None:
    zone.update(service("web", cluster_ip="10.96.0.9"), [])
    zone.remove("prod", "web")
    assert not zone.lookup("web.prod.svc.cluster.local", wire.A).exists
    assert not zone.lookup("prod.svc.cluster.local", wire.A).exists
    assert zone.lookup_reverse("9.0.96.10.in-addr.arpa") is None
