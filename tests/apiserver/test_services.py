"""Addresses and ports of Services."""

import asyncio
import random

import pytest

from pybernetes.apiserver.allocate import Full, Pool
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.server import build_server

from .conftest import Api, CertificateUsers, MastersOnly
from .objects import SERVICES, service


async def make(api: Api, name: str = "web", status: int = 201, **spec: object) -> dict:
    return await api.json("POST", SERVICES, service(name, **spec), status=status)


async def test_the_kubernetes_service_has_the_first_address(api: Api) -> None:
    found = await api.json("GET", f"{SERVICES}/kubernetes")
    assert found["spec"]["clusterIP"] == "10.96.0.1"
    points = await api.json("GET", "/api/v1/namespaces/default/endpoints/kubernetes")
    assert points["subsets"][0]["addresses"] == [{"ip": "192.0.2.10"}]
    slices = await api.json("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes")
    assert slices["endpoints"][0]["addresses"] == ["192.0.2.10"]


async def test_a_service_gets_an_address_and_its_fields(api: Api) -> None:
    spec = (await make(api))["spec"]
    assert spec["clusterIP"].startswith("10.")
    assert spec["clusterIPs"] == [spec["clusterIP"]]
    assert (spec["ipFamilies"], spec["ipFamilyPolicy"]) == (["IPv4"], "SingleStack")
    assert "nodePort" not in spec["ports"][0]


async def test_a_requested_address(api: Api) -> None:
    assert (await make(api, clusterIP="10.96.0.99"))["spec"]["clusterIPs"] == ["10.96.0.99"]
    status = await make(api, "two", 422, clusterIP="10.96.0.99")
    assert "failed to allocate IP 10.96.0.99: provided IP is already allocated" in status["message"]
    status = await make(api, "three", 422, clusterIP="192.0.2.1")
    assert "is not in the valid range. The range of valid IPs is 10.96.0.0/12" in status["message"]
    await api.json("DELETE", f"{SERVICES}/web")
    await make(api, "four", clusterIP="10.96.0.99")


async def test_headless_and_external(api: Api) -> None:
    spec = (await make(api, clusterIP="None"))["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("None", ["None"])
    spec = (await make(api, "ext", type="ExternalName", externalName="example.com"))["spec"]
    assert "clusterIP" not in spec


async def test_node_ports(api: Api) -> None:
    made = await make(api, type="NodePort")
    port = made["spec"]["ports"][0]["nodePort"]
    assert 30000 <= port <= 32767
    status = await make(api, "two", 422, type="NodePort", ports=[{"port": 80, "nodePort": port}])
    assert "spec.ports[0].nodePort: Invalid value" in status["message"]
    assert "provided port is already allocated" in status["message"]
    status = await make(api, "three", 422, type="NodePort", ports=[{"port": 80, "nodePort": 80}])
    assert "The range of valid ports is 30000-32767" in status["message"]


async def test_two_protocols_share_a_node_port(api: Api) -> None:
    ports = [{"name": "t", "port": 53, "protocol": "TCP"}, {"name": "u", "port": 53, "protocol": "UDP"}]
    made = (await make(api, type="NodePort", ports=ports))["spec"]["ports"]
    assert made[0]["nodePort"] == made[1]["nodePort"]
    ports[0]["nodePort"] = ports[1]["nodePort"] = 31999  # type: ignore[assignment]
    await make(api, "two", type="NodePort", ports=ports)


async def test_an_update_keeps_allocated_values(api: Api) -> None:
    made = await make(api, type="NodePort")
    body = service(type="NodePort", ports=[{"port": 80, "targetPort": 8080}])
    after = await api.json("PUT", f"{SERVICES}/web", body)
    assert after["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert after["spec"]["ports"][0]["nodePort"] == made["spec"]["ports"][0]["nodePort"]


async def test_a_change_of_type_releases_the_port(api: Api) -> None:
    await make(api, type="NodePort", ports=[{"port": 80, "nodePort": 30080}])
    after = await api.json("PUT", f"{SERVICES}/web", service(type="ClusterIP"))
    assert "nodePort" not in after["spec"]["ports"][0]
    await make(api, "two", type="NodePort", ports=[{"port": 80, "nodePort": 30080}])


async def test_failed_writes_and_dry_runs_release_everything(api: Api) -> None:
    await api.json("POST", f"{SERVICES}?dryRun=All", service(clusterIP="10.96.0.50"), status=201)
    bad = service(clusterIP="10.96.0.50", type="NodePort", ports=[{"port": 80, "nodePort": 1}])
    await api.json("POST", SERVICES, bad, status=422)
    await make(api, clusterIP="10.96.0.50")


async def test_of_concurrent_requests_for_an_address_one_succeeds(api: Api) -> None:
    answers = await asyncio.gather(*(api("POST", SERVICES, service(f"s{i}", clusterIP="10.96.0.77")) for i in range(5)))
    assert sorted(answer.status for answer in answers) == [201, 422, 422, 422, 422]


async def test_a_restarted_server_knows_allocated_values(api: Api) -> None:
    await make(api, clusterIP="10.96.0.88", type="NodePort", ports=[{"port": 80, "nodePort": 30088}])
    core = api.server.context
    again = Api(build_server(core.config, core.store, CertificateUsers(), MastersOnly(), rng=random.Random(2)))
    status = await make(again, "two", 422, clusterIP="10.96.0.88")
    assert "already allocated" in status["message"]
    await make(again, "three", 422, type="NodePort", ports=[{"port": 80, "nodePort": 30088}])


async def test_dual_stack_on_a_single_stack_cluster(api: Api) -> None:
    assert (await make(api, ipFamilyPolicy="PreferDualStack"))["spec"]["ipFamilies"] == ["IPv4"]
    await make(api, "two", 422, ipFamilyPolicy="RequireDualStack")
    await make(api, "three", 422, ipFamilies=["IPv6"])


class TestDualStack:
    @pytest.fixture
    def config(self) -> ServerConfig:
        return ServerConfig(service_cidrs=("10.96.0.0/16", "fd00:10:96::/112"), advertise_address="192.0.2.10")

    async def test_both_families(self, api: Api) -> None:
        spec = (await make(api, ipFamilyPolicy="PreferDualStack"))["spec"]
        assert spec["ipFamilies"] == ["IPv4", "IPv6"]
        assert spec["clusterIPs"][1].startswith("fd00:10:96::")
        spec = (await make(api, "six", ipFamilies=["IPv6"]))["spec"]
        assert spec["clusterIP"].startswith("fd00:10:96::")
        assert len((await make(api, "one"))["spec"]["clusterIPs"]) == 1


def test_a_pool_hands_out_every_value_once() -> None:
    pool = Pool(first=10, last=29, low_end=15, rng=random.Random(1))
    given = [pool.take_any() for _ in range(20)]
    assert sorted(given) == list(range(10, 30))
    assert min(given[:15]) >= 15
    with pytest.raises(Full):
        pool.take_any()
    pool.free(12)
    assert pool.take_any() == 12


@pytest.mark.parametrize(
    "bad",
    [
        {"service_cidrs": ()},
        {"service_cidrs": ("10.0.0.0/16", "10.1.0.0/16")},
        {"service_cidrs": ("10.0.0.1/16",)},
        {"node_port_range": (2, 1)},
        {"advertise_address": "here"},
    ],
)
def test_invalid_configuration(bad: dict) -> None:
    with pytest.raises(ValueError):
        ServerConfig(**bad).check()
