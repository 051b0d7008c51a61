"""Endpoints and EndpointSlices follow Services and pods with few writes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.core.endpoints import Endpoints
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service, ServicePort
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointSlice
from pybernetes.api.meta import OwnerReference
from pybernetes.controllers.endpoints import EndpointsController, subsets
from pybernetes.controllers.endpointslice import EndpointSliceController
from pybernetes.controllers.endpointslicemirroring import EndpointSliceMirroringController
from pybernetes.controllers.service_pods import resolve_port
from pybernetes.controllers.slices import Head, identity, plan

from .world import World, load

HEAD = Head("web", "default", {"a": "b"}, OwnerReference())
PORTS = (("http", 80, "TCP", ""),)


def service(**spec: Any) -> Service:
    defaults = {
        "selector": {"app": "web"},
        "clusterIP": "10.96.0.10",
        "ipFamilies": ["IPv4"],
        "ports": [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}],
    }
    return load(
        Service, metadata={"name": "web", "namespace": "default", "labels": {"x": "y"}}, spec={**defaults, **spec}
    )


def pod(name: str, *ips: str, ready: bool = True, port: int = 8080, phase: str = "Running", **spec: Any) -> Pod:
    return load(
        Pod,
        metadata={"name": name, "namespace": "default", "uid": name, "labels": {"app": "web"}},
        spec={
            "nodeName": "n1",
            "containers": [{"name": "c", "ports": [{"name": "web", "containerPort": port, "protocol": "TCP"}]}],
            **spec,
        },
        status={
            "phase": phase,
            "podIP": ips[0] if ips else "",
            "podIPs": [{"ip": ip} for ip in ips],
            "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": "2026-01-01T10:00:00Z"}],
        },
    )


def endpoints(*names: str) -> list[Endpoint]:
    return [load(Endpoint, addresses=[f"10.0.0.{n}"], targetRef={"uid": n}) for n in names]


def stored(created: list[EndpointSlice]) -> list[EndpointSlice]:
    for number, item in enumerate(created):
        item.metadata.name = f"web-{number}"
    return created


def test_subsets_group_by_ports_and_readiness() -> None:
    pods = [pod("a", "10.0.0.1"), pod("b", "10.0.0.2", ready=False), pod("c", "10.0.0.3", port=9090), pod("d")]
    pods.append(pod("e", "10.0.0.5", phase="Failed"))
    found, cut = subsets(service(), pods)
    shape = [([a.ip for a in s.addresses], [a.ip for a in s.not_ready_addresses], s.ports[0].port) for s in found]
    assert shape == [(["10.0.0.1"], ["10.0.0.2"], 8080), (["10.0.0.3"], [], 9090)]
    assert not cut


def test_endpoints_are_truncated_at_a_thousand() -> None:
    pods = [pod(f"p{i}", f"10.0.{i // 250}.{i % 250 + 1}") for i in range(1100)]
    found, cut = subsets(service(), pods)
    assert cut and len(found[0].addresses) == 1000


@pytest.mark.parametrize(("target", "expected"), [("web", 8080), ("nope", None), (99, 99), (None, 80)])
def test_target_ports(target: Any, expected: int | None) -> None:
    assert resolve_port(pod("a", "10.0.0.1"), ServicePort(port=80, protocol="TCP", target_port=target)) == expected


def test_slices_hold_a_hundred_and_an_empty_service_has_one() -> None:
    made = plan([], {"IPv4": {PORTS: endpoints(*map(str, range(250)))}}, HEAD)
    assert sorted(len(item.endpoints) for item in made.create) == [50, 100, 100]
    none = plan([], {"IPv4": {}, "IPv6": {}}, HEAD)
    assert [(item.address_type, item.endpoints) for item in none.create] == [("IPv4", []), ("IPv6", [])]


def test_one_changed_endpoint_costs_one_write() -> None:
    names = list(map(str, range(250)))
    existing = stored(plan([], {"IPv4": {PORTS: endpoints(*names)}}, HEAD).create)
    same = plan(existing, {"IPv4": {PORTS: endpoints(*names)}}, HEAD)
    assert not (same.create or same.update or same.delete)
    swapped = plan(existing, {"IPv4": {PORTS: endpoints(*names[1:], "999")}}, HEAD)
    assert (len(swapped.create), len(swapped.update), len(swapped.delete)) == (0, 1, 0)
    added = plan(existing, {"IPv4": {PORTS: endpoints(*names, "999")}}, HEAD)
    assert [len(item.endpoints) for item in added.update] == [51]
    gone = plan(existing, {"IPv4": {PORTS: []}}, HEAD)
    assert len(gone.delete) + len(gone.update) >= 3


@given(st.lists(st.sets(st.integers(0, 400), max_size=350), min_size=1, max_size=4))
def test_slices_hold_exactly_the_desired_endpoints(rounds: list[set[int]]) -> None:
    slices: dict[str, EndpointSlice] = {}
    for number, wanted in enumerate(rounds):
        names = sorted(map(str, wanted))
        todo = plan(list(slices.values()), {"IPv4": {PORTS: endpoints(*names)}}, HEAD)
        for item in todo.delete:
            del slices[item.metadata.name]
        for item in todo.update:
            slices[item.metadata.name] = item
        for index, item in enumerate(todo.create):
            item.metadata.name = f"s{number}-{index}"
            slices[item.metadata.name] = item
        held = [identity(endpoint) for item in slices.values() for endpoint in item.endpoints]
        assert sorted(map(str, held)) == sorted(str(identity(e)) for e in endpoints(*names))
        assert all(len(item.endpoints) <= 100 for item in slices.values())
        assert slices


async def test_a_service_gets_slices_and_endpoints() -> None:
    async with World(EndpointSliceController, EndpointsController) as world:
        await world.start()
        await world.create(load(Node, metadata={"name": "n1", "labels": {"topology.kubernetes.io/zone": "z1"}}))
        await world.create(service())
        await world.settle()
        (item,) = await world.all(EndpointSlice)
        assert item.endpoints == [] and item.metadata.labels == {
            "x": "y",
            "kubernetes.io/service-name": "web",
            "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        }
        await world.create(pod("a", "10.0.0.1"))
        await world.settle()
        (item,) = await world.all(EndpointSlice)
        assert item.metadata.annotations["endpoints.kubernetes.io/last-change-trigger-time"] == "2026-01-01T10:00:00Z"
        await world.create(pod("b", "10.0.0.2", ready=False))
        await world.settle()
        (item,) = await world.all(EndpointSlice)
        shape = {
            e.addresses[0]: (e.conditions.ready, e.conditions.serving, e.zone, e.node_name) for e in item.endpoints
        }
        assert shape == {"10.0.0.1": (True, True, "z1", "n1"), "10.0.0.2": (False, False, "z1", "n1")}
        assert item.metadata.owner_references[0].kind == "Service"
        assert item.ports[0].port == 8080
        found = await world.get(Endpoints, "web")
        assert [a.ip for a in found.subsets[0].addresses] == ["10.0.0.1"]
        assert [a.ip for a in found.subsets[0].not_ready_addresses] == ["10.0.0.2"]
        await world.client.of(Service).delete("web", namespace="default")
        await world.settle()
        assert await world.all(Endpoints) == []


async def test_a_terminating_pod_that_still_serves_is_shown() -> None:
    async with World(EndpointSliceController, EndpointsController) as world:
        await world.start()
        world.api.immediate_pods = False
        await world.create(service())
        await world.create(pod("a", "10.0.0.1"))
        await world.settle()
        await world.client.of(Pod).delete("a", namespace="default")
        await world.settle()
        conditions = (await world.all(EndpointSlice))[0].endpoints[0].conditions
        assert (conditions.ready, conditions.serving, conditions.terminating) == (False, True, True)
        assert (await world.get(Endpoints, "web")).subsets == []


async def test_headless_hostname_and_unready_published() -> None:
    async with World(EndpointSliceController, EndpointsController) as world:
        await world.start()
        await world.create(service(clusterIP="None", ports=[], publishNotReadyAddresses=True))
        await world.create(pod("a", "10.0.0.1", ready=False, hostname="a", subdomain="web"))
        await world.settle()
        (item,) = await world.all(EndpointSlice)
        assert item.metadata.labels["service.kubernetes.io/headless"] == ""
        assert (item.endpoints[0].hostname, item.endpoints[0].conditions.ready) == ("a", True)
        assert (await world.get(Endpoints, "web")).subsets[0].addresses[0].hostname == "a"


async def test_dual_stack_has_a_slice_per_family() -> None:
    async with World(EndpointSliceController) as world:
        await world.start()
        await world.create(service(ipFamilies=["IPv4", "IPv6"]))
        await world.create(pod("a", "10.0.0.1", "fd00::1"))
        await world.settle()
        found = {item.address_type: item.endpoints[0].addresses for item in await world.all(EndpointSlice)}
        assert found == {"IPv4": ["10.0.0.1"], "IPv6": ["fd00::1"]}


async def test_a_service_that_stops_selecting_and_a_relabelled_pod() -> None:
    async with World(EndpointSliceController) as world:
        await world.start()
        await world.create(service())
        await world.create(pod("a", "10.0.0.1"))
        await world.settle()
        await world.client.of(Pod).patch("a", {"metadata": {"labels": {"app": "x"}}}, namespace="default")
        await world.settle()
        assert (await world.all(EndpointSlice))[0].endpoints == []


async def test_irrelevant_pod_changes_write_nothing() -> None:
    async with World(EndpointSliceController, EndpointsController) as world:
        await world.start()
        await world.create(service())
        await world.create(pod("a", "10.0.0.1"))
        await world.settle()
        before = world.reconciles
        await world.client.of(Pod).patch("a", {"metadata": {"annotations": {"n": "1"}}}, namespace="default")
        await world.settle()
        assert world.reconciles == before


async def test_hand_written_endpoints_are_mirrored() -> None:
    async with World(EndpointSliceMirroringController, EndpointSliceController, EndpointsController) as world:
        await world.start()
        await world.create(service(selector={}))
        subset = {
            "addresses": [{"ip": "192.0.2.1"}, {"ip": "2001:db8::1"}],
            "notReadyAddresses": [{"ip": "192.0.2.2"}],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        }
        await world.create(load(Endpoints, metadata={"name": "web", "namespace": "default"}, subsets=[subset]))
        await world.settle()
        found = {item.address_type: item for item in await world.all(EndpointSlice)}
        assert {e.addresses[0]: e.conditions.ready for e in found["IPv4"].endpoints} == {
            "192.0.2.1": True,
            "192.0.2.2": False,
        }
        assert (
            found["IPv6"].metadata.labels["endpointslice.kubernetes.io/managed-by"].startswith("endpointslicemirroring")
        )
        skip = {"endpointslice.kubernetes.io/skip-mirror": "true"}
        await world.client.of(Endpoints).patch("web", {"metadata": {"labels": skip}}, namespace="default")
        await world.settle()
        assert await world.all(EndpointSlice) == []
