"""What pods' packets look like on the network between nodes, for each backend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink
from store.etcdserver import EtcdServer

from .capture import Capture, Packet
from .test_etcd_manager import etcd, shared
from .topology import ROUTER, Node, Pod, World, address, make_world, until
from .traffic import ping

__all__ = ["etcd", "shared"]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]


async def two_pods(world: World, backend: dict[str, Any]) -> tuple[Pod, Pod]:
    """Pods on the first and on the last node; waits for routes between them."""
    await world.start(backend)
    if backend["Type"] == "udp":
        await until(lambda: all(node.routes() for node in world.nodes))
    else:
        await world.routed()
    return world.nodes[0].pod(world), world.nodes[-1].pod(world)


def mac(node: Node, device: str) -> str:
    with Netlink(node.netns) as nl:
        return link.link(nl, device).mac


async def echo(a: Pod, b: Pod, version: int = 4) -> None:
    code, out = await ping(a, b.ips[version], version=version)
    assert code == 0, out


def one(packets: list[Packet]) -> Packet:
    """The only packet."""
    (packet,) = packets
    return packet


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("numbers", [{}, {"VNI": 4097, "Port": 4789}], ids=["defaults", "chosen"])
async def test_vxlan(tmp_path: Path, etcd: EtcdServer, numbers: dict[str, int], version: int) -> None:
    vni, port = numbers.get("VNI", 1), numbers.get("Port", 8472)
    device = f"flannel.{vni}" if version == 4 else f"flannel-v6.{vni}"
    async with make_world(tmp_path, etcd, (version,)) as world:
        nodes = world.node(1), world.node(2)
        a, b = await two_pods(world, {"Type": "vxlan", **numbers})
        with Capture(nodes[1].netns) as seen:
            await echo(a, b, version)
        there, back = (a.ips[version], b.ips[version]), (b.ips[version], a.ips[version])
        outer = one(seen.vxlan(address("a", 1, version), address("a", 2, version), port, there))
        assert outer.vni == vni
        assert outer.macs == (mac(nodes[0], "eth0"), mac(nodes[1], "eth0"))
        inner = outer.inner
        assert inner is not None
        assert inner.ips == there
        assert inner.macs == (mac(nodes[0], device), mac(nodes[1], device))
        assert not seen.between(a.ips[version], b.ips[version]), "no packet passes outside the tunnel"
        one(seen.vxlan(address("a", 2, version), address("a", 1, version), port, back))


@pytest.mark.parametrize("backend", [{"Type": "host-gw"}, {"Type": "vxlan", "DirectRouting": True}])
async def test_a_neighbour_gets_the_packet_without_a_tunnel(
    tmp_path: Path, etcd: EtcdServer, backend: dict[str, Any]
) -> None:
    async with make_world(tmp_path, etcd, (4, 6)) as world:
        nodes = world.node(1), world.node(2)
        a, b = await two_pods(world, backend)
        with Capture(nodes[1].netns) as seen:
            for version in (4, 6):
                await echo(a, b, version)
        for version in (4, 6):
            bare = one(seen.between(a.ips[version], b.ips[version]))
            assert bare.macs == (mac(nodes[0], "eth0"), mac(nodes[1], "eth0"))
            tunnelled = seen.vxlan(address("a", 1, version), address("a", 2, version), 8472, bare.ips)
            assert not tunnelled


async def test_direct_routing_has_a_tunnel_between_racks(tmp_path: Path, etcd: EtcdServer) -> None:
    async with make_world(tmp_path, etcd, segments={"a": 1500, "b": 1500}) as world:
        router = world.router("r", {"a": ROUTER, "b": ROUTER})
        world.node(1), world.node(2), world.node(3, "b")
        a, c = await two_pods(world, {"Type": "vxlan", "DirectRouting": True})
        b = world.nodes[1].pod(world)
        with Capture(router, "eth-a") as passing:
            await echo(a, b)
            await echo(a, c)
        assert one(passing.vxlan(address("a", 1), address("b", 3), 8472, (a.ips[4], c.ips[4]))).vni == 1
        pods = {b.ips[4], c.ips[4]}
        assert not [packet for packet in passing.packets if pods & set(packet.ips)], "the router sees only tunnels"


async def test_a_nat_replaces_the_outer_source(tmp_path: Path, etcd: EtcdServer) -> None:
    async with make_world(tmp_path, etcd, segments={"a": 1500, "home": 1500}) as world:
        nat = world.router("nat", {"a": ROUTER, "home": ROUTER})
        public = address("a", 77)
        world.node(1), world.node(2, "home", public=public)
        await world.translate(nat, "a", address("home", 2), public)
        a, b = await two_pods(world, {"Type": "vxlan"})
        with Capture(nat, "eth-home") as inside, Capture(nat, "eth-a") as outside:
            await echo(b, a)
        there, back = (b.ips[4], a.ips[4]), (a.ips[4], b.ips[4])
        assert one(inside.vxlan(address("home", 2), address("a", 1), 8472, there)).vni == 1
        assert one(outside.vxlan(public, address("a", 1), 8472, there)).vni == 1
        assert one(outside.vxlan(address("a", 1), public, 8472, back)).vni == 1


@pytest.mark.parametrize("port", [8285, 4567])
async def test_udp_carries_the_packet_as_it_is(tmp_path: Path, etcd: EtcdServer, port: int) -> None:
    async with make_world(tmp_path, etcd) as world:
        nodes = world.node(1), world.node(2)
        a, b = await two_pods(world, {"Type": "udp", "Port": port})
        with Capture(nodes[1].netns) as seen:
            await echo(a, b)
        inner = one(seen.between(address("a", 1), address("a", 2), port)).inner_ip
        assert inner is not None and inner.ips == (a.ips[4], b.ips[4])
        assert not seen.between(a.ips[4], b.ips[4])
