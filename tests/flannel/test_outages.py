"""etcd fails, is cut off, loses history, and returns; pods stay connected, and no subnet has two owners."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from pybernetes.etcd import EtcdClient, EtcdTls
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from store.certificates import write_certificates
from store.etcdserver import EtcdServer, free_ports

from .black_hole import BlackHole
from .steady_traffic import pinging_addresses
from .test_etcd_manager import etcd, shared
from .topology import PREFIX, Node, World, ctl, make_world, subnet, until

__all__ = ["etcd", "shared"]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]
VXLAN = {"Type": "vxlan"}


@asynccontextmanager
async def pinging(world: World, a: Node, b: Node) -> AsyncIterator[None]:
    """A continuous ping from pod to pod; every packet must be answered."""
    source, target = a.pod(world), b.pod(world)
    async with pinging_addresses([(source.netns, target.ips[4], "ping")]) as (ping,):
        await ping.answers()
        yield
        await ping.answers(40)  # so that the effect of the last step shows too
        assert not ping.lost


def owners(server: EtcdServer) -> dict[str, str]:
    """The public address for the name of each lease."""
    words = ctl(server, "get", "--prefix", f"{PREFIX}subnets/").split("\n")
    keys, values = words[::2], words[1::2]
    return {k.rpartition("/")[2]: json.loads(v)["PublicIP"] for k, v in zip(keys, values, strict=False)}


async def test_a_cut_connection_is_noticed_and_replaced(
    tmp_path: Path, etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Packets are dropped without an error; at the end the old connection stays dead."""
    async with BlackHole(etcd.ports[0]) as hole, make_world(tmp_path, etcd) as world:
        a, b = world.node(1, urls=[hole.url]), world.node(2)
        await world.start(VXLAN)
        await world.routed()
        async with pinging(world, a, b):
            hole.cut()
            c = world.node(3)
            c.start()
            await until(lambda: subnet(3) in b.routes())
            client = EtcdClient([etcd.url], None, 2)
            await client.compact((await client.txn(pb.TxnRequest())).header.revision)
            await client.close()
            await until(lambda: "lost etcd" in caplog.text)
            assert subnet(3) not in a.routes()
            with caplog.at_level(logging.INFO, "pybernetes.flannel"):
                hole.heal(forget=True)
                await until(lambda: subnet(3) in a.routes())
                assert "etcd answers again" in caplog.text
        assert len(owners(etcd)) == 3


async def test_a_dead_connection_to_a_healthy_etcd(tmp_path: Path, etcd: EtcdServer) -> None:
    """A firewall lost its state. No call fails, since there is none: only the connection's keepalive pings notice."""
    async with BlackHole(etcd.ports[0]) as hole, make_world(tmp_path, etcd) as world:
        a = world.node(1, urls=[hole.url])
        await world.start(VXLAN)
        hole.cut()
        hole.heal(forget=True)
        world.node(2).start()
        await until(lambda: subnet(2) in a.routes())


async def test_a_daemon_that_restarts_while_etcd_is_unavailable_drops_no_packet(
    tmp_path: Path, etcd: EtcdServer
) -> None:
    """It does not know the network yet, so it changes nothing."""
    async with BlackHole(etcd.ports[0]) as hole, make_world(tmp_path, etcd) as world:
        a, b = world.node(1, urls=[hole.url]), world.node(2)
        await world.start(VXLAN)
        await world.routed()
        async with pinging(world, a, b):
            hole.cut()
            await a.stop()
            a.start()
            world.node(3).start()
            await until(lambda: subnet(3) in b.routes())
            assert not a.daemon.ready and subnet(2) in a.routes()
            hole.heal()
            await until(lambda: a.daemon.ready and subnet(3) in a.routes())


async def test_a_lease_that_expires_while_etcd_is_unreachable(
    tmp_path: Path, etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Another node has acquired the subnet: it is logged, with the consequence for pods; never two owners."""
    async with BlackHole(etcd.ports[0]) as hole, make_world(tmp_path, etcd) as world:
        a, b = world.node(1, urls=[hole.url], lease_seconds=3, margin_seconds=2), world.node(2)
        await world.start(VXLAN)
        await world.routed()
        hole.cut()
        await until(lambda: subnet(1) not in b.routes())
        await until(lambda: "the lease has expired" in caplog.text)
        assert subnet(2) in a.routes(), "the data path stays as it is"
        taken = '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}'
        await asyncio.to_thread(ctl, etcd, "put", f"{PREFIX}subnets/10.244.1.0-24", taken)
        hole.heal()
        await until(lambda: "lease 10.244.1.0-24 is lost" in caplog.text)
        await until(lambda: "pods that run here keep addresses of 10.244.1.0/24" in caplog.text)
        held = {public: name for name, public in (await asyncio.to_thread(owners, etcd)).items()}
        assert held["192.0.2.9"] == "10.244.1.0-24"
        assert "192.0.2.1" in held
        again = held["192.0.2.1"].replace("-", "/")
        await until(lambda: again in b.routes())
        await until(lambda: a.env()["FLANNEL_SUBNET"] == again.replace(".0/", ".1/"))


async def test_an_expired_lease_that_is_still_free_is_acquired_again(
    tmp_path: Path, etcd: EtcdServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with BlackHole(etcd.ports[0]) as hole, make_world(tmp_path, etcd) as world:
        a, b = world.node(1, urls=[hole.url], lease_seconds=3, margin_seconds=2), world.node(2)
        await world.start(VXLAN)
        await world.routed()
        hole.cut()
        await until(lambda: subnet(1) not in b.routes())
        hole.heal()
        await until(lambda: subnet(1) in b.routes())
        assert "keep addresses" not in caplog.text, "nothing changes for the pods"
        assert subnet(2) in a.routes()


@asynccontextmanager
async def three_members(folder: Path) -> AsyncIterator[list[EtcdServer]]:
    """An etcd of three members, with TLS between client and server."""
    certificates = folder / "pki"
    certificates.mkdir()
    write_certificates(certificates)
    names, ports = ("a", "b", "c"), free_ports(6)
    peers = tuple(f"{name}=http://127.0.0.1:{ports[i + 3]}" for i, name in enumerate(names))
    members = [
        EtcdServer(folder / name / "data", certificates, name=name, ports=[ports[i], ports[i + 3]], peers=peers)
        for i, name in enumerate(names)
    ]
    try:
        await asyncio.gather(*[asyncio.to_thread(member.start) for member in members])
        yield members
    finally:
        for member in members:
            member.kill()


async def test_members_exit_and_are_cut_off_while_nodes_join_and_leave(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with AsyncExitStack() as stack:
        members = await stack.enter_async_context(three_members(tmp_path))
        holes = [await stack.enter_async_context(BlackHole(member.ports[0])) for member in members]
        pki = tmp_path / "pki"
        tls = EtcdTls(*(pki / name for name in ("ca.pem", "client.pem", "client.key")))
        urls = [hole.url.replace("http:", "https:") for hole in holes]
        world = await stack.enter_async_context(make_world(tmp_path, members[2]))
        a, b = world.node(1, urls=urls, tls=tls), world.node(2, urls=urls[::-1], tls=tls)
        await world.start(VXLAN)
        await world.routed()
        await stack.enter_async_context(pinging(world, a, b))
        members[0].kill()
        c = world.node(3, urls=urls, tls=tls)
        c.start()
        await world.routed()
        await asyncio.to_thread(members[0].start)
        holes[1].cut()
        d = world.node(4, urls=[urls[1], urls[2]], tls=tls)
        d.start()
        await world.routed()
        before = caplog.text.count("lost etcd")
        for member in members[:2]:
            member.kill()
        e = world.node(5, urls=urls, tls=tls)
        e.start()
        await until(lambda: caplog.text.count("lost etcd") >= before + 4)
        holes[1].heal(forget=True)
        await asyncio.gather(*[asyncio.to_thread(member.start) for member in members[:2]])
        await world.routed()
        owned = await asyncio.to_thread(owners, members[2])
        assert owned == {f"10.244.{n}.0-24": f"192.0.2.{n}" for n in range(1, 6)}
        await c.stop()
        await asyncio.to_thread(ctl, members[2], "del", f"{PREFIX}subnets/10.244.3.0-24")
        for node in (a, b, d, e):
            await until(lambda node=node: subnet(3) not in node.routes())  # type: ignore[misc]
