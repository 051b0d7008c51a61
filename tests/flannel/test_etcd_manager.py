"""The etcd subnet manager against a real etcd."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import random
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pybernetes.etcd import EtcdClient, EtcdTls, put
from pybernetes.etcd.etcdpb import etcd_pb2 as pb
from pybernetes.flannel.backends import BACKENDS
from pybernetes.flannel.config import ConfigError, NetworkConfig, parse
from pybernetes.flannel.leases.etcd.allocate import PoolFull
from pybernetes.flannel.leases.etcd.manager import EtcdManager
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.leases.manager import ManagerUnavailable, Offer, OwnSubnets
from store.certificates import write_certificates
from store.etcdserver import EtcdServer, free_ports

pytestmark = pytest.mark.slow

NET = ipaddress.ip_network
IP = ipaddress.ip_address
PREFIX = "/coreos.com/network/"


def config(text: str = '{"Network":"10.5.0.0/16"}') -> NetworkConfig:
    return parse(text, frozenset(BACKENDS))


#: Three subnets.
TINY = config('{"Network":"10.5.0.0/24","SubnetLen":26}')


def offer(number: int, backend: str = "host-gw") -> Offer:
    return Offer(backend, {4: IP(f"192.0.2.{number}")}, {4: {}})


def subnet(held: OwnSubnets) -> str:
    return str(held.subnets[4])


def ctl(server: EtcdServer, *words: str, value: bytes | None = None) -> str:
    """etcdctl, as an administrator would use it."""
    done = subprocess.run(
        ["etcdctl", f"--endpoints={server.url}", *words],
        check=True, capture_output=True, input=value, env={"ETCDCTL_API": "3", "PATH": "/usr/bin"},
    )  # fmt: skip
    return done.stdout.decode(errors="replace")


async def until(true: Callable[[], bool], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


class Running:
    """A manager with its tasks."""

    def __init__(self, manager: EtcdManager, client: EtcdClient) -> None:
        self.manager = manager
        self.client = client
        self.changes = 0

    def changed(self) -> None:
        self.changes += 1

    def subnets(self) -> list[str]:
        return sorted(str(part.subnet) for lease in self.manager.leases(TINY)[0] for part in lease.families)


@asynccontextmanager
async def managing(
    *urls: str, tls: EtcdTls | None = None, timeout: float = 1.0, **options: Any
) -> AsyncIterator[Running]:
    client = EtcdClient(urls, tls, timeout)
    running = Running(EtcdManager(client, rng=random.Random(1), **options), client)
    task = asyncio.create_task(running.manager.run(running.changed), name="manager")
    try:
        async with asyncio.timeout(5):
            await running.manager.synced()
        yield running
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EtcdServer]:
    with EtcdServer(tmp_path_factory.mktemp("etcd") / "data") as server:
        yield server


@pytest.fixture
def etcd(shared: EtcdServer) -> EtcdServer:
    ctl(shared, "del", "--prefix", "")
    return shared


async def test_a_lease_as_go_flannel_would_write_it(etcd: EtcdServer) -> None:
    async with managing(etcd.url) as node:
        held = await node.manager.acquire(config(), Offer("vxlan", {4: IP("192.0.2.1")}, {4: {"VNI": 1}}))
        key = f"{PREFIX}subnets/{held.name}"
        value = json.loads(ctl(etcd, "get", "--print-value-only", key))
        assert value == {
            "PublicIP": "192.0.2.1", "PublicIPv6": None, "BackendType": "vxlan", "BackendData": {"VNI": 1}
        }  # fmt: skip
        entry = await node.client.get(key)
        assert entry is not None
        assert 86_300 < await node.client.time_to_live(entry.lease) <= 86_400
        leases, faults = node.manager.leases(config())
        assert [lease.node for lease in leases] == [held.name] and faults == []
        assert node.manager.leases(config())[0][0] is leases[0], "the same object until it changes"


async def test_two_daemons_race_for_one_subnet(etcd: EtcdServer, caplog: pytest.LogCaptureFixture) -> None:
    """The same random numbers and the same moment: both want the same subnet first."""
    async with managing(etcd.url) as one, managing(etcd.url) as two:
        a, b = await asyncio.gather(one.manager.acquire(TINY, offer(1)), two.manager.acquire(TINY, offer(2)))
        assert subnet(a) != subnet(b)


async def test_of_overlapping_keys_the_earlier_one_is_kept(etcd: EtcdServer) -> None:
    """Dual-stack keys may differ and still share an IPv4 subnet: the later one is released."""
    text = '{"Network":"10.5.0.0/24","SubnetLen":25,"SubnetMin":"10.5.0.0","EnableIPv6":true,"IPv6Network":"fd00::/48"}'
    both = config(text)
    offers = [Offer("host-gw", {4: IP(f"192.0.2.{n}"), 6: IP(f"2001:db8::{n}")}, {}) for n in (1, 2)]
    async with managing(etcd.url) as one, managing(etcd.url) as two:
        two.manager._rng.seed(7)
        a, b = await asyncio.gather(one.manager.acquire(both, offers[0]), two.manager.acquire(both, offers[1]))
        assert not any(a.subnets[v].overlaps(b.subnets[v]) for v in (4, 6))
        assert ctl(etcd, "get", "--prefix", "--keys-only", PREFIX).split() == sorted(
            f"{PREFIX}subnets/{held.name}" for held in (a, b)
        )


async def test_the_lease_is_found_by_public_address_and_the_mac_with_it(etcd: EtcdServer) -> None:
    first = Offer("vxlan", {4: IP("192.0.2.1")}, {4: {"VNI": 1, "VtepMAC": "02:00:00:00:00:07"}})
    async with managing(etcd.url) as node:
        held = await node.manager.acquire(config(), first)
    async with managing(etcd.url, previous={4: NET("10.5.99.0/24")}) as node:
        assert node.manager.announced_data(config(), {4: IP("192.0.2.1")})[4]["VtepMAC"] == "02:00:00:00:00:07"
        assert await node.manager.acquire(config(), offer(1)) == held


async def test_the_previous_subnet(etcd: EtcdServer, caplog: pytest.LogCaptureFixture) -> None:
    previous = {4: NET("10.5.99.0/24")}
    with caplog.at_level(logging.INFO, "pybernetes.flannel"):
        async with managing(etcd.url, previous=previous) as node, managing(etcd.url, previous=previous) as thief:
            assert subnet(await node.manager.acquire(config(), offer(1))) == "10.5.99.0/24"
            assert "Found previously leased subnet (10.5.99.0/24), reusing" in caplog.text
            assert "Allocated lease (10.5.99.0/24) to current node (192.0.2.1)" in caplog.text
            assert subnet(await thief.manager.acquire(config(), offer(2))) != "10.5.99.0/24"


async def test_a_reservation_is_kept_for_its_node(etcd: EtcdServer) -> None:
    key = f"{PREFIX}subnets/10.5.0.128-26"
    ctl(etcd, "put", key, '{"PublicIP":"192.0.2.3","BackendType":"vxlan"}')
    async with managing(etcd.url) as one, managing(etcd.url) as two, managing(etcd.url) as three:
        others = [subnet(await node.manager.acquire(TINY, offer(n))) for n, node in ((1, one), (2, two))]
        assert sorted(others) == ["10.5.0.192/26", "10.5.0.64/26"]
        with pytest.raises(PoolFull):
            await _acquire(etcd, 9)
        held = await three.manager.acquire(TINY, offer(3))
        assert subnet(held) == "10.5.0.128/26"
        await three.manager.announce(Lease(held.name, "host-gw", (FamilyLease(held.subnets[4], IP("192.0.2.3")),)))
        entry = await three.client.get(key)
        assert entry is not None and entry.lease == 0
        assert json.loads(entry.value)["BackendType"] == "host-gw"


async def _acquire(server: EtcdServer, number: int) -> OwnSubnets:
    async with managing(server.url) as node:
        return await node.manager.acquire(TINY, offer(number))


async def test_a_full_pool_serves_again_when_a_lease_ends(etcd: EtcdServer) -> None:
    async with managing(etcd.url) as node:
        first = await _acquire(etcd, 1)
        for number in (2, 3):
            await _acquire(etcd, number)
        with pytest.raises(PoolFull, match="out of subnets"):
            await node.manager.acquire(TINY, offer(4))
        ctl(etcd, "del", f"{PREFIX}subnets/{first.name}")
        assert await node.manager.acquire(TINY, offer(4)) == first


async def test_the_lease_is_renewed_in_time(etcd: EtcdServer, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "pybernetes.flannel"):
        async with managing(etcd.url, lease_seconds=2, margin_seconds=1.8) as node:
            held = await node.manager.acquire(TINY, offer(1))
            await asyncio.sleep(3.5)
            assert await node.manager.acquire(TINY, offer(1)) == held
            entry = await node.client.get(f"{PREFIX}subnets/{held.name}")
            assert entry is not None
    assert "Lease renewed, new expiration: " in caplog.text
    assert "lost" not in caplog.text


@pytest.mark.parametrize("taken", [False, True])
async def test_a_lost_lease(etcd: EtcdServer, caplog: pytest.LogCaptureFixture, taken: bool) -> None:
    """The loss is logged, and the node acquires the same subnet if it is free, or else another one."""
    async with managing(etcd.url) as node:
        held = await node.manager.acquire(config(), offer(1))
        key = f"{PREFIX}subnets/{held.name}"
        ctl(etcd, "del", key)
        if taken:
            ctl(etcd, "put", key, '{"PublicIP":"192.0.2.9","BackendType":"host-gw"}')
        seen = node.changes
        await until(lambda: node.changes > seen)
        await until(lambda: (subnet(held) in node.subnets()) == taken)
        again = await node.manager.acquire(config(), offer(1))
        assert (again != held) == taken
        assert f"lease {held.name} is lost" in caplog.text


async def test_a_write_that_came_late_does_not_keep_a_second_subnet(etcd: EtcdServer) -> None:
    """The node gave up waiting for the write and has another subnet. A reservation of an administrator stays."""
    async with managing(etcd.url) as node:
        held = await node.manager.acquire(config(), offer(1))
        value = b'{"PublicIP":"192.0.2.1","BackendType":"host-gw"}'
        number = await node.client.grant(600)
        late, kept = f"{PREFIX}subnets/10.5.77.0-24", f"{PREFIX}subnets/10.5.78.0-24"
        await node.client.txn(pb.TxnRequest(success=[put(late, value, lease=number), put(kept, value)]))
        await until(lambda: len(node.subnets()) == 3)
        assert await node.manager.acquire(config(), offer(1)) == held
        assert ctl(etcd, "get", "--prefix", "--keys-only", PREFIX).split() == sorted(
            [f"{PREFIX}subnets/{held.name}", kept]
        )


async def test_a_new_network_gives_a_new_lease_and_deletes_the_old(etcd: EtcdServer) -> None:
    async with managing(etcd.url) as node:
        await node.manager.acquire(config(), offer(1))
        held = await node.manager.acquire(config('{"Network":"10.6.0.0/16"}'), offer(1))
        assert held.subnets[4].subnet_of(NET("10.6.0.0/16"))  # type: ignore[arg-type]
        await until(lambda: node.subnets() == [subnet(held)])


async def test_config(etcd: EtcdServer) -> None:
    async with managing(etcd.url) as node:
        with pytest.raises(ConfigError, match=r"etcdctl put /coreos\.com/network/config"):
            node.manager.config()
        ctl(etcd, "put", f"{PREFIX}config", '{"Network":"10.7.0.0/16"}')
        await until(lambda: node.changes > 0)
        assert node.manager.config() == '{"Network":"10.7.0.0/16"}'


async def test_another_prefix(etcd: EtcdServer) -> None:
    async with managing(etcd.url, prefix="/kube/flannel/") as node:
        held = await node.manager.acquire(TINY, offer(1))
    assert ctl(etcd, "get", "--prefix", "--keys-only", "/kube").split() == [f"/kube/flannel/subnets/{held.name}"]


GARBAGE = {
    "x": b"{}",
    "10.5.0.77-24": b'{"PublicIP":"192.0.2.50"}',
    "10.5.50.0-24": b"not json",
    "10.5.51.0-24": b"\xff\xfe\x00",
    "10.5.52.0-24": b'{"PublicIP":"300.0.0.1"}',
    "10.5.53.0-24": b'{"PublicIP":"192.0.2.53","BackendType":7,"BackendData":[]}',
    "10.5.54.0-24&fd00::-64": b'{"PublicIP":"192.0.2.54"}',
}


async def test_a_malformed_lease_is_logged_by_key_and_its_subnet_stays_taken(etcd: EtcdServer) -> None:
    async with managing(etcd.url) as node:
        for name, value in GARBAGE.items():
            ctl(etcd, "put", f"{PREFIX}subnets/{name}", value=value)
        await until(lambda: len(node.manager.leases(config())[1]) == len(GARBAGE))
        _, faults = node.manager.leases(config())
        for name in GARBAGE:
            assert [fault for fault in faults if fault.startswith(f"{PREFIX}subnets/{name}: ")], name
        narrow = config('{"Network":"10.5.0.0/16","SubnetMin":"10.5.50.0","SubnetMax":"10.5.55.0"}')
        assert subnet(await node.manager.acquire(narrow, offer(1))) in ("10.5.53.0/24", "10.5.55.0/24")


async def test_etcd_away_and_back(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with EtcdServer(tmp_path / "data") as server:
        async with managing(server.url) as node, managing(server.url) as other:
            held = await node.manager.acquire(TINY, offer(1))
            await until(lambda: len(other.subnets()) == 1)
            server.kill()
            await until(lambda: "lost etcd" in caplog.text)
            assert await node.manager.acquire(TINY, offer(1)) == held, "the node keeps its subnet"
            assert len(other.subnets()) == 1
            with pytest.raises(ManagerUnavailable):
                await other.manager.acquire(TINY, offer(2))
            with pytest.raises(ManagerUnavailable):
                await node.manager.announce(Lease(held.name, "vxlan", (FamilyLease(held.subnets[4], IP("192.0.2.1")),)))
            await until(lambda: caplog.text.count("lost etcd") == 2)  # once by each
            server.start()
            async with managing(server.url) as third:
                await third.manager.acquire(TINY, offer(3))
            await until(lambda: len(other.subnets()) == 2)
            assert await node.manager.acquire(TINY, offer(1)) == held


async def test_compaction_while_the_connection_is_lost(tmp_path: Path) -> None:
    with EtcdServer(tmp_path / "data") as server:
        async with managing(server.url) as node:
            await node.manager.acquire(TINY, offer(1))
            server.kill()
            server.start()
            client = EtcdClient([server.url], None, 2)
            async with managing(server.url) as third:
                await third.manager.acquire(TINY, offer(3))
            response = await client.txn(pb.TxnRequest())
            await client.compact(response.header.revision)
            await client.close()
            await until(lambda: len(node.subnets()) == 2)


async def test_one_of_three_members_exits(tmp_path: Path) -> None:
    names, ports = ("a", "b", "c"), free_ports(6)
    peers = tuple(f"{name}=http://127.0.0.1:{ports[i + 3]}" for i, name in enumerate(names))
    members = [
        EtcdServer(tmp_path / name / "data", name=name, ports=[ports[i], ports[i + 3]], peers=peers)
        for i, name in enumerate(names)
    ]
    try:
        await asyncio.gather(*[asyncio.to_thread(member.start) for member in members])
        urls = [member.url for member in members]
        async with managing(*urls) as one, managing(*urls[1:], urls[0]) as two:
            held = await one.manager.acquire(TINY, offer(1))
            members[0].kill()

            async def got() -> OwnSubnets:
                while True:
                    try:
                        return await two.manager.acquire(TINY, offer(2))
                    except ManagerUnavailable:
                        await asyncio.sleep(0.05)

            other = await asyncio.wait_for(got(), 10)
            await until(lambda: len(one.subnets()) == 2)
            assert subnet(other) != subnet(held)
    finally:
        for member in members:
            member.kill()


async def test_tls(tmp_path: Path) -> None:
    write_certificates(tmp_path)
    tls = EtcdTls(*(tmp_path / name for name in ("ca.pem", "client.pem", "client.key")))
    with EtcdServer(tmp_path / "data", certificates=tmp_path) as server:
        async with managing(server.url, tls=tls) as node:
            assert await node.manager.acquire(TINY, offer(1))
