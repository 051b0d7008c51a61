"""Node addresses, node health, taints and evictions."""

from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.coordination.lease import Lease
from pybernetes.api.core.affinity import Toleration
from pybernetes.api.core.node import Node, Taint
from pybernetes.api.core.pod import Pod
from pybernetes.api.rbac.cluster_role import ClusterRole
from pybernetes.controllers.clusterrole_aggregation import ClusterRoleAggregationController
from pybernetes.controllers.config import (
    Config,
    EndpointSliceConfig,
    NodeIpamConfig,
    NodeLifecycleConfig,
    PodGCConfig,
    Section,
)
from pybernetes.controllers.node_health import Bucket, eviction_rate, zone_state
from pybernetes.controllers.nodeipam import CidrPool, NodeIpamController, pools_of
from pybernetes.controllers.nodelifecycle import NodeLifecycleController
from pybernetes.controllers.tainteviction import TaintEvictionController, due
from pybernetes.controllers.times import micro, stamp

from .fake_api import Refused
from .world import START, World, load


def ipam(*cidrs: str) -> Config:
    return Config(NodeIpamConfig(cluster_cidrs=cidrs, allocate_node_cidrs=True))


IPAM = ipam("10.244.0.0/16", "fd00:10:244::/56")


def node(name: str, ready: str = "True", **spec: Any) -> Node:
    conditions = [
        {"type": "Ready", "status": ready, "reason": "KubeletReady", "lastHeartbeatTime": "2026-01-01T11:00:00Z"},
        {"type": "MemoryPressure", "status": "False"},
    ]
    return load(Node, metadata={"name": name}, spec=spec, status={"conditions": conditions})


# --- addresses


def test_pool_allocates_round_robin() -> None:
    pool = CidrPool("10.0.0.0/22", 24)
    given_out = [pool.allocate() for _ in range(5)]
    assert [str(item) for item in given_out] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24", "None"]
    pool.release(ip_network("10.0.1.0/24"))
    assert pool.occupy(ip_network("10.0.1.0/25")) and not pool.occupy(ip_network("10.0.1.0/24"))


@pytest.mark.parametrize(("cidr", "mask"), [("10.0.0.0/24", 16), ("fd00::/32", 64), ("10.0.0.1/24", 24), ("x", 24)])
def test_ranges_that_do_not_fit_are_refused(cidr: str, mask: int) -> None:
    with pytest.raises(ValueError):
        CidrPool(cidr, mask)


def test_two_ranges_of_one_family_are_refused() -> None:
    with pytest.raises(ValueError, match="one range per IP family"):
        pools_of(NodeIpamConfig(cluster_cidrs=("10.0.0.0/16", "10.1.0.0/16")))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 15))))
def test_no_subnet_is_allocated_twice(steps: list[tuple[bool, int]]) -> None:
    pool, held = CidrPool("10.0.0.0/20", 24), set()
    for take, index in steps:
        if take:
            network = pool.allocate()
            assert (network is None) == (len(held) == 16)
            assert network not in held
            held |= {network} - {None}
        elif held:
            network = sorted(held, key=str)[index % len(held)]
            pool.release(network)
            held.discard(network)


async def test_each_node_gets_a_range_of_each_family() -> None:
    async with World(NodeIpamController, config=IPAM) as world:
        await world.create(node("old", podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24", "fd00:10:244::/64"]))
        await world.start()
        for number in range(3):
            await world.create(node(f"n{number}"))
        await world.settle()
        found = {item.metadata.name: item.spec for item in await world.all(Node)}
        assert found["n0"].pod_cidrs == ["10.244.1.0/24", "fd00:10:244:1::/64"]
        assert found["n0"].pod_cidr == "10.244.1.0/24"
        assert len({spec.pod_cidr for spec in found.values()}) == 4


async def test_exhausted_range_is_reported_and_freed_ranges_are_reused() -> None:
    async with World(NodeIpamController, config=ipam("10.0.0.0/24")) as world:
        await world.start()
        await world.create(node("a"))
        await world.settle()
        await world.create(node("b"))
        await world.settle()
        assert world.recorder.reasons() == ["CIDRNotAvailable"]
        await world.client.of(Node).delete("a")
        await world.settle()
        assert (await world.get(Node, "b", "")).spec.pod_cidr == "10.0.0.0/24"


async def test_a_failed_write_keeps_the_range() -> None:
    async with World(NodeIpamController, config=ipam("10.0.0.0/24")) as world:
        await world.start()
        world.api.fail = lambda r: Refused(500, "InternalError") if r.method == "PATCH" else None
        await world.create(node("a"))
        await world.settle()
        world.api.fail = lambda r: None
        await world.advance(60)
        assert (await world.get(Node, "a", "")).spec.pod_cidr == "10.0.0.0/24"


# --- health


def test_zones() -> None:
    up, down = node("u"), node("d", "Unknown")
    assert zone_state([down], 0.55) == "FullDisruption"
    assert zone_state([up, down, down], 0.55) == "Normal"
    assert zone_state([up, down, down, down], 0.55) == "PartialDisruption"
    config = NodeLifecycleConfig()
    assert eviction_rate("PartialDisruption", 10, config) == 0
    assert eviction_rate("PartialDisruption", 51, config) == 0.01
    assert eviction_rate("FullDisruption", 3, config) == 0.1


def test_the_bucket_refills() -> None:
    bucket = Bucket()
    assert bucket.take(0.1, START) and not bucket.take(0.1, START)
    assert bucket.take(0.1, START + timedelta(seconds=11)) and not bucket.take(0, START + timedelta(hours=1))


async def renew(world: World, *names: str) -> None:
    for name in names:
        spec = {"holderIdentity": name, "renewTime": micro(world.clock.now())}
        body = {"spec": spec}
        try:
            await world.client.of(Lease).patch(name, body, namespace="kube-node-lease")
        except Exception:
            meta = {"name": name, "namespace": "kube-node-lease"}
            await world.create(load(Lease, metadata=meta, spec=spec))


def taints(item: Node) -> set[tuple[str, str]]:
    return {(taint.key.removeprefix("node.kubernetes.io/"), taint.effect) for taint in item.spec.taints}


async def run_for(world: World, seconds: int, *alive: str) -> None:
    for _ in range(seconds // 10):
        await renew(world, *alive)
        await world.advance(10)


async def test_silent_node_becomes_unknown_and_tainted_until_it_returns() -> None:
    async with World(NodeLifecycleController) as world:
        await world.start()
        for name in ("n1", "n2", "n3"):
            await world.create(node(name))
        pod = load(
            Pod,
            metadata={"name": "p", "namespace": "default"},
            spec={"nodeName": "n1"},
            status={"conditions": [{"type": "Ready", "status": "True"}]},
        )
        await world.create(pod)
        await run_for(world, 100, "n1", "n2", "n3")
        assert taints(await world.get(Node, "n1", "")) == set()
        await run_for(world, 40, "n2", "n3")
        assert taints(await world.get(Node, "n1", "")) == set()
        await run_for(world, 30, "n2", "n3")
        silent = await world.get(Node, "n1", "")
        assert taints(silent) == {("unreachable", "NoSchedule"), ("unreachable", "NoExecute")}
        ready = next(item for item in silent.status.conditions if item.type == "Ready")
        assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
        assert ready.message == "Kubelet stopped posting node status."
        assert (await world.get(Pod, "p")).status.conditions[0].status == "False"
        assert "NodeNotReady" in world.recorder.reasons()
        back = node("n1").status
        back.conditions[0].last_heartbeat_time = stamp(world.clock.now())
        await world.client.of(Node).patch("n1", {"status": back}, subresource="status")
        await run_for(world, 20, "n1", "n2", "n3")
        assert taints(await world.get(Node, "n1", "")) == set()


async def test_evictions_are_rate_limited_and_stop_when_all_nodes_are_down() -> None:
    async with World(NodeLifecycleController) as world:
        await world.start()
        names = [f"n{i}" for i in range(8)]
        for name in names:
            await world.create(node(name))
        await run_for(world, 20, *names)
        await run_for(world, 50, *names[2:])
        evicting = [n for n in await world.all(Node) if ("unreachable", "NoExecute") in taints(n)]
        assert len(evicting) == 1
        await run_for(world, 20, *names[2:])
        evicting = [n for n in await world.all(Node) if ("unreachable", "NoExecute") in taints(n)]
        assert len(evicting) == 2
        await run_for(world, 100)
        assert all(taints(n) == {("unreachable", "NoSchedule")} for n in await world.all(Node))


async def test_node_that_never_reported_has_the_startup_grace_period() -> None:
    async with World(NodeLifecycleController) as world:
        await world.start()
        await world.create(node("up"))
        await world.create(load(Node, metadata={"name": "mute"}))
        await run_for(world, 50, "up")
        assert (await world.get(Node, "mute", "")).status.conditions == []
        await run_for(world, 30, "up")
        found = (await world.get(Node, "mute", "")).status.conditions
        assert {item.reason for item in found} == {"NodeStatusNeverUpdated"} and len(found) == 4


async def test_conditions_become_taints_and_other_taints_stay() -> None:
    async with World(NodeLifecycleController) as world:
        await world.start()
        special = {"key": "gpu", "effect": "NoSchedule", "value": "yes"}
        busy = node("n1", "False", unschedulable=True, taints=[special])
        busy.status.conditions[1].status = "True"
        await world.create(busy)
        await world.create(node("n2"))
        await renew(world, "n1", "n2")
        await world.advance(6)
        assert taints(await world.get(Node, "n1", "")) == {
            ("gpu", "NoSchedule"),
            ("not-ready", "NoSchedule"),
            ("not-ready", "NoExecute"),
            ("memory-pressure", "NoSchedule"),
            ("unschedulable", "NoSchedule"),
        }


# --- taint eviction

TAINT = Taint(key="k", effect="NoExecute", time_added=stamp(START))


@pytest.mark.parametrize(
    ("tolerations", "expected"),
    [
        ([], 0),
        ([Toleration(key="k", operator="Exists")], None),
        ([Toleration(key="k", operator="Exists", toleration_seconds=30)], 30),
        ([Toleration(key="k", operator="Exists", toleration_seconds=-1)], 0),
        ([Toleration(operator="Exists"), Toleration(key="k", operator="Exists", toleration_seconds=3)], None),
    ],
)
def test_when_a_pod_is_due(tolerations: list[Toleration], expected: int | None) -> None:
    when = due([TAINT], tolerations, START)
    assert when == (None if expected is None else START + timedelta(seconds=expected))


def patient(name: str, seconds: int | None) -> Pod:
    tolerations = [] if seconds is None else [{"key": "k", "operator": "Exists", "tolerationSeconds": seconds}]
    meta = {"name": name, "namespace": "default"}
    return load(Pod, metadata=meta, spec={"nodeName": "n1", "tolerations": tolerations})


async def test_pods_are_evicted_after_their_toleration_seconds() -> None:
    async with World(TaintEvictionController) as world:
        await world.start()
        await world.create(node("n1"))
        for pod in (patient("now", None), patient("soon", 30), patient("later", 300)):
            await world.create(pod)
        await world.client.of(Node).patch("n1", {"spec": {"taints": [{"key": "k", "effect": "NoExecute"}]}})
        await world.settle()
        assert [p.metadata.name for p in await world.pods()] == ["soon", "later"]
        gone = next(o for _, t, o in world.api.log["pods"] if t == "DELETED")
        assert gone["status"]["conditions"][0]["reason"] == "DeletionByTaintManager"
        await world.advance(40)
        assert [p.metadata.name for p in await world.pods()] == ["later"]
        await world.client.of(Node).patch("n1", {"spec": {"taints": None}})
        await world.advance(400)
        assert [p.metadata.name for p in await world.pods()] == ["later"]
        assert world.recorder.messages("TaintManagerEviction")[-1] == "Cancelling deletion of Pod default/later"


async def test_pod_bound_to_a_tainted_node_is_evicted() -> None:
    async with World(TaintEvictionController) as world:
        await world.start()
        await world.create(node("n1", taints=[{"key": "k", "effect": "NoExecute"}]))
        await world.create(patient("p", None))
        await world.settle()
        assert await world.pods() == []


# --- roles


async def test_roles_are_aggregated() -> None:
    async with World(ClusterRoleAggregationController) as world:
        await world.start()
        selector = {"matchLabels": {"to-view": "true"}}
        view = load(ClusterRole, metadata={"name": "view"}, aggregationRule={"clusterRoleSelectors": [selector]})
        await world.create(view)
        for name in ("b", "a"):
            rules = [{"verbs": ["get"], "resources": [name]}, {"verbs": ["list"], "resources": ["x"]}]
            await world.create(load(ClusterRole, metadata={"name": name, "labels": {"to-view": "true"}}, rules=rules))
        await world.settle()
        assert [r.resources for r in (await world.get(ClusterRole, "view", "")).rules] == [["a"], ["x"], ["b"]]
        await world.client.of(ClusterRole).delete("a")
        await world.settle()
        assert [r.resources for r in (await world.get(ClusterRole, "view", "")).rules] == [["b"], ["x"]]


@pytest.mark.parametrize(
    ("section", "wrong", "flag"),
    [
        (NodeLifecycleConfig, {"unhealthy_zone_threshold": 2}, "unhealthy-zone-threshold"),
        (NodeIpamConfig, {"mask_size_ipv4": 0}, "node-cidr-mask-size-ipv4"),
        (NodeIpamConfig, {"cluster_cidrs": ("a", "b", "c")}, "cluster-cidr"),
        (NodeIpamConfig, {"allocate_node_cidrs": True}, "allocate-node-cidrs"),
        (NodeIpamConfig, {"cluster_cidrs": ("a", "b"), "mask_size": 20}, "node-cidr-mask-size"),
        (EndpointSliceConfig, {"max_endpoints": 1001}, "max-endpoints-per-slice"),
        (PodGCConfig, {"workers": 0}, "PodGCConfig"),
    ],
)
def test_bad_settings_are_refused(section: type[Section], wrong: dict[str, Any], flag: str) -> None:
    with pytest.raises(ValueError, match=flag):
        section(**wrong)
