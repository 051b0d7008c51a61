"""Applying the reported changes one after another gives the same virtual servers as computing all of them at once."""

from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.core.service import Service, ServicePort, ServiceSpec
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.service_tracker import ServiceTracker
from pybernetes.proxy.model import VirtualServer, virtual_servers
from pybernetes.proxy.server_changes import ServerChanges

NAMES = st.sampled_from(["a", "b"])
PORTS = st.lists(st.sampled_from(["http", "dns"]), unique=True, max_size=2)
IPS = st.lists(st.sampled_from(["10.1.0.1", "10.1.0.2"]), unique=True, max_size=2)


def service(name: str, ports: list[str]) -> Service:
    spec = ServiceSpec(
        cluster_ip="10.96.0.1",
        cluster_ips=["10.96.0.1", "fd00::1"],
        ports=[ServicePort(name=port, port=80, protocol="TCP") for port in ports],
    )
    return Service(metadata=ObjectMeta(name=name, namespace="d"), spec=spec)


def part(name: str, owner: str, ips: list[str]) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=name, namespace="d", labels={"kubernetes.io/service-name": owner}),
        address_type="IPv4",
        ports=[EndpointPort(name=port, port=8080, protocol="TCP") for port in ("http", "dns")],
        endpoints=[Endpoint(addresses=[ip], conditions=EndpointConditions(ready=True)) for ip in ips],
    )


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("service"), NAMES, PORTS),
        st.tuples(st.just("slice"), NAMES, NAMES, IPS),
        st.tuples(st.just("no service"), NAMES),
        st.tuples(st.just("no slice"), NAMES),
        st.just(("take",)),
    ),
    max_size=20,
)


class Cluster:
    """Services and slices, fed to a tracker as an informer does, and the servers that the changes add up to."""

    def __init__(self) -> None:
        self.services: dict[str, Service] = {}
        self.slices: dict[str, EndpointSlice] = {}
        self.tracker = ServiceTracker()
        self.changes = ServerChanges("node-1", (4, 6))
        self.servers: dict[int, dict[str, VirtualServer]] = {4: {}, 6: {}}

    def step(self, kind: str, *args: object) -> None:
        match kind, args:
            case "service", (str(name), list(ports)):
                new = service(name, ports)
                self.tracker.on_service(self.services.get(name), new)
                self.services[name] = new
            case "slice", (str(name), str(owner), list(ips)):
                made = part(name, owner, ips)
                self.tracker.on_slice(self.slices.get(name), made)
                self.slices[name] = made
            case "no service", (str(name),):
                if name in self.services:
                    self.tracker.on_service(self.services.pop(name), None)
            case "no slice", (str(name),):
                if name in self.slices:
                    self.tracker.on_slice(self.slices.pop(name), None)
            case _:
                self.take()

    def take(self) -> None:
        for version, changes in self.changes.update(self.tracker.take()).items():
            for old, new in changes:
                known = self.servers[version]
                if old is not None:
                    assert known.pop(old.key) == old, "the old value is the one reported before"
                if new is not None:
                    known[new.key] = new

    def expected(self, version: int) -> dict[str, VirtualServer]:
        found: dict[str, VirtualServer] = {}
        for name, one in self.services.items():
            own = [s for s in self.slices.values() if s.metadata.labels["kubernetes.io/service-name"] == name]
            found |= {server.key: server for server in virtual_servers(one, own, "node-1", version)}
        return found


@given(STEPS)
def test_changes_add_up_to_the_present_state(steps: list[tuple[object, ...]]) -> None:
    cluster = Cluster()
    for kind, *args in steps:
        cluster.step(str(kind), *args)
    cluster.take()
    for version in (4, 6):
        assert cluster.servers[version] == cluster.expected(version)


def test_an_unchanged_service_reports_nothing() -> None:
    tracker, changes = ServiceTracker(), ServerChanges("node-1", (4,))
    tracker.on_service(None, service("a", ["http"]))
    assert len(changes.update(tracker.take())[4]) == 1
    tracker.on_service(service("a", ["http"]), service("a", ["http"]))
    assert changes.update(tracker.take()) == {4: []}
