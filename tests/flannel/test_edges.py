"""The edges of the pod network: packets to the outside, multicast, and networks with different MTUs."""

from __future__ import annotations

import asyncio
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pybernetes.linux import netns
from store.etcdserver import EtcdServer

from .bgp_world import run_in
from .capture import Capture
from .kinds import learned
from .test_etcd_manager import etcd, shared
from .topology import ROUTER, World, address, make_world, subnet, until
from .traffic import datagrams, echoes, opened, ping, talk, transfer

__all__ = ["etcd", "shared"]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]

GROUP, PORT = "239.1.2.3", 5353


def seen_from(space: str, ips: dict[int, str], source: str, version: int) -> str:
    """Send a datagram to a socket in another namespace, and an answer back; returns the source address there."""
    family = {4: socket.AF_INET, 6: socket.AF_INET6}[version]
    with closing(netns.run_in(space, lambda: socket.socket(family, socket.SOCK_DGRAM))) as server:
        server.bind((ips[version], 0))
        server.settimeout(10)
        with closing(opened(source, socket.SOCK_DGRAM, version)) as client:
            client.sendto(b"hello", server.getsockname())
            _, peer = server.recvfrom(100)
            server.sendto(b"you too", peer)
            assert client.recv(100) == b"you too"
    return str(peer[0])


@pytest.mark.parametrize("backend", [{"Type": "vxlan"}, {"Type": "host-gw"}], ids=lambda backend: backend["Type"])
async def test_the_outside_sees_the_nodes_address(tmp_path: Path, etcd: EtcdServer, backend: dict[str, Any]) -> None:
    """The outside is a host behind a router, and another node, which is not a pod."""
    async with make_world(tmp_path, etcd, (4, 6), {"a": 1500, "b": 1500}) as world:
        world.router("r", {"a": ROUTER, "b": ROUTER})
        outside = world.router("out", {"b": 9})
        world.node(1), world.node(2)
        await world.start(backend)
        await world.routed()
        a, b = (node.pod(world) for node in world.nodes)
        for version in (4, 6):
            far, near = {version: address("b", 9, version)}, {version: address("a", 2, version)}
            gateway = address("b", ROUTER, version)
            net = f"{address('a', 0, version)}/{24 if version == 4 else 64}"
            assert await run_in(outside, "ip", f"-{version}", "route", "add", net, "via", gateway) == (0, "")
            own = address("a", 1, version)
            assert await asyncio.to_thread(seen_from, outside, far, a.netns, version) == own
            assert await asyncio.to_thread(seen_from, world.nodes[1].netns, near, a.netns, version) == own
            assert await asyncio.to_thread(seen_from, b.netns, dict(b.ips), a.netns, version) == a.ips[version]


async def test_multicast_keeps_its_source(tmp_path: Path, etcd: EtcdServer) -> None:
    async with make_world(tmp_path, etcd) as world:
        a, b = world.node(1), world.node(2)
        await world.start({"Type": "vxlan"})
        await world.routed()
        with Capture(b.netns) as seen, closing(opened(a.netns, socket.SOCK_DGRAM, 4)) as speaker:
            speaker.bind(("10.244.1.1", 0))
            speaker.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address("a", 1)))

            def heard() -> bool:
                speaker.sendto(b"anybody there?", (GROUP, PORT))
                seen.read()
                return any(packet.ips[1] == GROUP for packet in seen.packets)

            await until(heard)
        assert {packet.ips[0] for packet in seen.packets if packet.ips[1] == GROUP} == {"10.244.1.1"}


async def unequal(world: World, backend: dict[str, Any]) -> None:
    """Jumbo frames everywhere but at the last node."""
    world.node(1, mtu=9000), world.node(2, mtu=9000), world.node(3, mtu=1400)
    await world.start(backend)
    await world.routed()


async def test_a_node_with_a_narrower_link_is_reported(
    tmp_path: Path, etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Packets of its pods fit, as do those between the other nodes; TCP uses the lower MTU; the rest is logged."""
    async with make_world(tmp_path, etcd, segments={"a": 9000}) as world:
        await unequal(world, {"Type": "vxlan"})
        assert [node.env()["FLANNEL_MTU"] for node in world.nodes] == ["8950", "8950", "1350"]
        a, b, c = (node.pod(world) for node in world.nodes)
        await talk(a, b)
        for one, other in ((a, c), (c, a)):
            assert await asyncio.to_thread(transfer, one, other, 4, 8 << 20) == one.ips[4]
        code, _ = await ping(c, a.ips[4], "-M", "do", "-s", str(1350 - 28))
        assert code == 0
        lost = f"packets of 9000 bytes from eth0 do not reach {address('a', 3)} unfragmented, those of 1400 do"
        await until(lambda: caplog.text.count(f"{lost}; set Backend.MTU to 1350") == 2)


async def test_the_proposed_mtu_works(tmp_path: Path, etcd: EtcdServer) -> None:
    async with make_world(tmp_path, etcd, segments={"a": 9000}) as world:
        await unequal(world, {"Type": "vxlan", "MTU": 1350})
        assert {node.env()["FLANNEL_MTU"] for node in world.nodes} == {"1350"}
        a, _, c = (node.pod(world) for node in world.nodes)
        await talk(a, c, size=8 << 20)
        await echoes(c, a, 4)
        assert await asyncio.to_thread(datagrams, c, a, 4) == c.ips[4]


async def test_bgp(tmp_path: Path, etcd: EtcdServer) -> None:
    """The same network and the same log line for the bgp backend, which has separate tests for the rest."""
    async with make_world(tmp_path, etcd) as world:
        a, b = world.node(1), world.node(2)
        await world.start({"Type": "bgp"})
        await until(lambda: subnet(2) in {r.dst for r in learned(a.seen)})
        await until(lambda: subnet(1) in {r.dst for r in learned(b.seen)})
        await talk(a.pod(world), b.pod(world))
