"""Pods communicate on various networks between their nodes; what is unreachable is reported by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from store.etcdserver import EtcdServer

from .test_etcd_manager import etcd, shared
from .topology import ROUTER, World, address, make_world, subnet, until
from .traffic import talk

__all__ = ["etcd", "shared"]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]

VXLAN: dict[str, Any] = {"Type": "vxlan"}
DIRECT: dict[str, Any] = {"Type": "vxlan", "DirectRouting": True}
HOST_GW: dict[str, Any] = {"Type": "host-gw"}
UDP: dict[str, Any] = {"Type": "udp"}
DEVICE = {"vxlan": "flannel.1", "host-gw": "eth0", "udp": "flannel0"}
IPV4, IPV6, DUAL = (4,), (6,), (4, 6)


def name(value: object) -> str:
    if isinstance(value, dict):
        return str(value["Type"]) + ("-direct" if value.get("DirectRouting") else "")
    return "ipv" + "+".join(map(str, value)) if isinstance(value, tuple) else ""


async def all_pods_talk(world: World, *, size: int = 32 << 20) -> None:
    """The first node's pod and each other node's pod, in both directions."""
    pods = [node.pod(world) for node in world.nodes]
    for version in world.versions:
        for pod in pods[1:]:
            await talk(pods[0], pod, version, size=size)
            await talk(pod, pods[0], version, size=1 << 20)


@pytest.mark.parametrize(
    ("backend", "versions"),
    [(VXLAN, IPV4), (VXLAN, IPV6), (VXLAN, DUAL), (DIRECT, DUAL), (HOST_GW, IPV4), (HOST_GW, IPV6), (HOST_GW, DUAL)],
    ids=name,
)
async def test_one_segment(
    tmp_path: Path, etcd: EtcdServer, backend: dict[str, Any], versions: tuple[int, ...]
) -> None:
    async with make_world(tmp_path, etcd, versions) as world:
        for number in (1, 2):
            world.node(number)
        await world.start(backend)
        await world.routed()
        await all_pods_talk(world)


async def test_one_segment_through_user_space(tmp_path: Path, etcd: EtcdServer) -> None:
    async with make_world(tmp_path, etcd) as world:
        for number in (1, 2):
            world.node(number)
        await world.start(UDP)
        await until(lambda: all(node.routes() == {"10.244.0.0/16": "flannel0"} for node in world.nodes))
        await all_pods_talk(world, size=16 << 20)


def racks(world: World) -> None:
    """Two nodes in one rack, one in another."""
    world.router("r", {"a": ROUTER, "b": ROUTER})
    for number, rack in ((1, "a"), (2, "a"), (3, "b")):
        world.node(number, rack)


@pytest.mark.parametrize("backend", [VXLAN, DIRECT], ids=name)
async def test_two_racks_with_a_router_between(tmp_path: Path, etcd: EtcdServer, backend: dict[str, Any]) -> None:
    async with make_world(tmp_path, etcd, DUAL, {"a": 1500, "b": 1500}) as world:
        racks(world)
        await world.start(backend)
        await world.routed()
        near = "eth0" if backend is DIRECT else "flannel.1"
        routes = world.nodes[0].routes()
        assert (routes[subnet(2)], routes[subnet(3)]) == (near, "flannel.1")
        await all_pods_talk(world)


async def test_host_gw_names_peers_behind_a_router(
    tmp_path: Path, etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with make_world(tmp_path, etcd, IPV4, {"a": 1500, "b": 1500}) as world:
        racks(world)
        await world.start(HOST_GW)
        a, b, _ = world.nodes
        await until(lambda: subnet(2) in a.routes() and subnet(1) in b.routes())
        await until(lambda: f"{subnet(3)}; use vxlan" in caplog.text)
        assert subnet(3) not in a.routes()
        await talk(a.pod(world), b.pod(world))


async def translated(world: World) -> None:
    """Node 2 is behind a NAT that has an address for it on the other nodes' segment."""
    home = world.router("nat", {"a": ROUTER, "home": ROUTER})
    public = address("a", 77)
    world.node(1)
    world.node(2, "home", public=public)
    await world.translate(home, "a", address("home", 2), public)


@pytest.mark.parametrize("backend", [VXLAN, DIRECT, UDP], ids=name)
async def test_a_node_behind_nat(tmp_path: Path, etcd: EtcdServer, backend: dict[str, Any]) -> None:
    async with make_world(tmp_path, etcd, IPV4, {"a": 1500, "home": 1500}) as world:
        await translated(world)
        await world.start(backend)
        a, b = world.nodes
        if backend is not UDP:
            await world.routed(via="flannel.1")
            info = b.seen.links["flannel.1"].vxlan
            assert info is not None and info.local == address("home", 2), "not the public address, which is the NAT's"
            assert {entry.dst for entry in a.seen.forwarding} == {address("a", 77)}
        await all_pods_talk(world, size=16 << 20)


async def test_host_gw_does_not_use_a_nat_as_gateway(
    tmp_path: Path, etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with make_world(tmp_path, etcd, IPV4, {"a": 1500, "home": 1500}) as world:
        await translated(world)
        await world.start(HOST_GW)
        report = f"({address('a', 77)}) is behind NAT (its own address is {address('home', 2)})"
        await until(lambda: report in caplog.text)
        assert world.nodes[0].routes() == {}
