"""Which endpoints a Service has on a node: readiness, termination, policies."""

from pybernetes.api.core.service import (
    ClientIPConfig,
    Service,
    ServicePort,
    ServiceSpec,
    SessionAffinityConfig,
)
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from pybernetes.api.meta import ObjectMeta
from pybernetes.linux.nftables.fragments import Delta, Ruleset
from pybernetes.linux.nftables.script import Script
from pybernetes.proxy.family import Family
from pybernetes.proxy.model import VirtualServer, virtual_servers
from pybernetes.proxy.nftables import base, fragment


def service(**spec: object) -> Service:
    ports = [ServicePort(name="http", port=80, protocol="TCP", node_port=30080)]
    values = {"type": "NodePort", "cluster_ip": "10.96.0.9", "cluster_ips": ["10.96.0.9"], "ports": ports, **spec}
    return Service(metadata=ObjectMeta(name="web", namespace="prod"), spec=ServiceSpec(**values))  # type: ignore[arg-type]


def slice_of(*endpoints: tuple[str, str, EndpointConditions], family: str = "IPv4") -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name="web-x", namespace="prod", labels={"kubernetes.io/service-name": "web"}),
        address_type=family,
        ports=[EndpointPort(name="http", port=8080, protocol="TCP")],
        endpoints=[Endpoint(addresses=[ip], node_name=node, conditions=cond) for ip, node, cond in endpoints],
    )


def render(delta: Delta, family: Family) -> str:
    script = Script(base(family))
    delta.write(script)
    return str(script)


READY = EndpointConditions(ready=True)
UNREADY = EndpointConditions(ready=False)
LEAVING = EndpointConditions(ready=False, serving=True, terminating=True)


def one(svc: Service, *slices: EndpointSlice) -> VirtualServer:
    (server,) = virtual_servers(svc, slices, "node-1", 4)
    return server


def test_ready_endpoints_of_every_node_and_of_this_one() -> None:
    server = one(service(), slice_of(("10.1.0.1", "node-1", READY), ("10.2.0.1", "node-2", READY)))
    assert [e.ip for e in server.endpoints] == ["10.1.0.1", "10.2.0.1"]
    assert [e.ip for e in server.local_endpoints] == ["10.1.0.1"]
    assert server.key == "prod/web/tcp/http"
    assert server.reason == "Service prod/web port http"


def test_terminating_endpoints_serve_only_while_none_is_ready() -> None:
    parts = slice_of(("10.1.0.1", "node-1", LEAVING), ("10.2.0.1", "node-2", UNREADY))
    assert [e.ip for e in one(service(), parts).endpoints] == ["10.1.0.1"]
    both = slice_of(("10.1.0.1", "node-1", LEAVING), ("10.2.0.1", "node-2", READY))
    assert [e.ip for e in one(service(), both).endpoints] == ["10.2.0.1"]
    # with a policy of Local, only the endpoints of this node count
    assert [e.ip for e in one(service(), both).local_endpoints] == ["10.1.0.1"]


def test_services_without_cluster_ip_have_no_virtual_servers() -> None:
    for other in (service(cluster_ip="None", cluster_ips=["None"]), service(type="ExternalName")):
        assert virtual_servers(other, [], "node-1", 4) == []
    assert virtual_servers(service(), [], "node-1", 6) == []


def test_affinity() -> None:
    assert one(service(session_affinity="ClientIP")).affinity_seconds == 10800
    config = SessionAffinityConfig(client_ip=ClientIPConfig(timeout_seconds=60))
    assert one(service(session_affinity="ClientIP", session_affinity_config=config)).affinity_seconds == 60


def test_an_endpoint_in_two_slices_counts_once() -> None:
    part = slice_of(("10.1.0.1", "node-1", READY))
    assert len(one(service(), part, part).endpoints) == 1


def test_an_update_touches_only_what_changed() -> None:
    family = Family(4, ("10.244.0.0/16",))
    rules = Ruleset()
    servers = {}
    for n in range(100):
        svc = service(cluster_ip=f"10.96.0.{n}", cluster_ips=[f"10.96.0.{n}"], ports=[ServicePort(port=80)])
        svc.metadata.name = f"s{n}"
        server = one(svc)
        servers[server.key] = fragment(server, family)
    rules.update(servers)
    changed = service(cluster_ip="10.96.0.7", cluster_ips=["10.96.0.7"])
    changed.metadata.name = "s7"
    part = slice_of(("10.1.0.1", "node-1", READY))
    server = one(changed, part)
    script = render(rules.update({server.key: fragment(server, family)}), family)
    assert "10.1.0.1" in script
    assert "s8" not in script


def test_two_services_with_the_same_external_ip() -> None:
    family = Family(4)
    rules = Ruleset()
    part = slice_of(("10.1.0.1", "node-1", READY))
    first, second = service(external_ips=["203.0.113.9"]), service(external_ips=["203.0.113.9"])
    second.metadata.name = "web2"
    a, b = one(first, part), one(second, part)
    rules.update({a.key: fragment(a, family), b.key: fragment(b, family)})
    keys = [(name, key) for name, key, _ in rules.all().add_elements]
    assert len(keys) == len(set(keys))
    delta = rules.update({a.key: None})
    values = [value for name, key, value in delta.add_elements if key.startswith("203.0.113.9")]
    assert values in ([], [f"goto external-{value}" for value in ()]) or "web2" in values[0]


def test_malformed_addresses_never_reach_the_packet_filter() -> None:
    bad = ("", "10.0.0", "10.0.0.1/24", "fd00::1", "10.0.0.1 drop", "10.0.0.1\n", "\0", "０.0.0.1", "1" * 5000)
    parts = [slice_of((ip, "node-1", READY)) for ip in bad]
    good = slice_of(("10.1.0.1", "node-1", READY))
    server = one(service(external_ips=[*bad, "203.0.113.9"]), *parts, good)
    assert [e.ip for e in server.endpoints] == ["10.1.0.1"]
    assert server.external_ips == ("203.0.113.9",)
    for ip in bad:
        assert virtual_servers(service(cluster_ip=ip, cluster_ips=[ip]), [good], "node-1", 4) == []


def test_source_ranges() -> None:
    def ranges(*named: str) -> tuple[str, ...]:
        return one(service(load_balancer_source_ranges=list(named))).source_ranges

    assert ranges() == ()
    assert ranges(" 192.0.2.7/24 ", "fd00::/8", "192.0.2.0/24") == ("192.0.2.0/24",)
    assert ranges("fd00::/8") == ()
    # a malformed range alone admits no source; next to a valid one it is ignored
    assert ranges("192.0.2.0/99") == ("0.0.0.0/32",)
    assert ranges("x; flush ruleset", "192.0.2.0/24") == ("192.0.2.0/24",)


def test_few_endpoints_get_rules_and_many_a_map() -> None:
    family = Family(4)

    def script(count: int) -> str:
        ends = [(f"10.1.0.{n + 1}", "node-2", READY) for n in range(count)]
        server = one(service(), slice_of(*ends))
        return render(Ruleset().update({server.key: fragment(server, family)}), family)

    few = script(3)
    assert "mod 3 0 dnat ip to 10.1.0.1:8080" in few and "mod 2 0 dnat ip to 10.1.0.2:8080" in few
    assert "tcp dnat ip to 10.1.0.3:8080" in few
    assert "map {" not in few and "numgen random mod 9 map {" in script(9)
