"""Three daemons on three nodes (network namespaces on one switch) with leases in a real etcd, and no Kubernetes."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import logging
import os
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybernetes.etcd import EtcdClient
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.etcd.manager import EtcdManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import netns
from pybernetes.linux.rtnl import Netlink
from store.etcdserver import EtcdServer

from .kinds import observe
from .steady_traffic import pinging_addresses
from .test_daemon import prepare, until
from .test_etcd_manager import GARBAGE, ctl
from .test_metrics import values

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
PREFIX = "/coreos.com/network/"


@dataclass
class Host:
    """One node with its daemon."""

    number: int
    netns: str
    folder: Path
    client: EtcdClient
    daemon: Flanneld
    task: asyncio.Task[None] | None = None

    @property
    def seen(self) -> Observed:
        with Netlink(self.netns) as nl:
            return observe(nl)

    def routes(self) -> dict[str, str]:
        return {r.dst: r.link for r in self.seen.routes}

    async def run(self, *argv: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *netns.argv_in(self.netns, argv), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def reaches(self, other: Host) -> bool:
        return (await self.run("ping", "-c1", "-W1", f"10.244.{other.number}.1"))[0] == 0

    def start(self) -> None:
        self.task = asyncio.create_task(self.daemon.run(), name=f"flanneld {self.number}")

    async def stop(self) -> None:
        if self.task:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.client.close()


@dataclass
class Cluster:
    server: EtcdServer
    hosts: list[Host]

    def configure(self, backend: str) -> None:
        ctl(self.server, "put", f"{PREFIX}config", network(backend))

    async def settled(self, link: str) -> None:
        for host in self.hosts:
            await until(lambda host=host: list(host.routes().values()) == [link] * 2)  # type: ignore[misc]


def network(backend: str) -> str:
    return json.dumps({"Network": "10.244.0.0/16", "Backend": {"Type": backend}})


def make(number: int, space: str, folder: Path, server: EtcdServer) -> Host:
    client = EtcdClient([server.url], None, 1.0)
    options = FlannelOptions(
        node_name="",
        subnet_file=folder / "subnet.env",
        selection=Selection(names=("eth0",)),
        netns=space,
        linger_seconds=0.5,
    )
    manager = EtcdManager(client, previous={4: ipaddress.ip_network(f"10.244.{number}.0/24")})
    rules = NftRules(masquerade=True, forward=True, netns=space)
    daemon = Flanneld(options, manager, rules=rules, drift=KernelDrift(space), rng=random.Random(number))
    return Host(number, space, folder, client, daemon)


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    spaces = [f"{tag}-{number}" for number in (1, 2, 3)]
    async with AsyncExitStack() as stack:
        server = stack.enter_context(EtcdServer(tmp_path / "data"))
        for space in (f"{tag}-0", *spaces):
            stack.callback(netns.delete, space)
        prepare(f"{tag}-0", spaces)
        made = Cluster(server, [])
        made.configure("vxlan")
        for number, space in enumerate(spaces, 1):
            folder = tmp_path / f"node-{number}"
            folder.mkdir()
            host = make(number, space, folder, server)
            made.hosts.append(host)
            stack.push_async_callback(host.stop)
            host.start()
        await made.settled("flannel.1")
        yield made
        assert all(host.task and not host.task.done() for host in made.hosts)


async def test_nodes_find_each_other(cluster: Cluster) -> None:
    a, b, c = cluster.hosts
    assert await a.reaches(b) and await b.reaches(c) and await c.reaches(a)
    await a.daemon.wait_ready()
    assert "FLANNEL_SUBNET=10.244.1.1/24" in (a.folder / "subnet.env").read_text()
    value = json.loads(ctl(cluster.server, "get", "--print-value-only", f"{PREFIX}subnets/10.244.1.0-24"))
    assert value["BackendData"]["VtepMAC"] == a.seen.links["flannel.1"].mac


async def test_the_config_key_switches_the_backend_under_traffic(cluster: Cluster) -> None:
    a = cluster.hosts[0]
    async with pinging_addresses([(a.netns, "10.244.2.1", "ping")]) as (ping,):
        await ping.answers()
        for backend, link in (("host-gw", "eth0"), ("vxlan", "flannel.1"), ("host-gw", "eth0")):
            await asyncio.to_thread(cluster.configure, backend)
            await cluster.settled(link)
        await ping.answers()
        assert not ping.lost
    for host in cluster.hosts:
        await until(lambda host=host: not host.seen.ours)  # type: ignore[misc]


async def test_a_bad_config_changes_nothing_and_is_logged_once(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, _ = cluster.hosts
    await asyncio.to_thread(cluster.configure, "carrier-pigeon")
    await until(lambda: caplog.text.count("Backend.Type must be one of") == 3)
    await a.run("ip", "route", "del", "10.244.2.0/24")
    await until(lambda: "10.244.2.0/24" in a.routes())
    assert await a.reaches(b)
    assert caplog.text.count("Backend.Type must be one of") == 3, "once by each daemon"


def passes(host: Host) -> float:
    """The number of passes that the host's daemon has completed."""
    samples = values(host.daemon.metrics.expose())
    return sum(count for name, count in samples.items() if name.startswith("flannel_reconcile_passes_total"))


async def test_malformed_leases_are_logged_once_by_key(cluster: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    a, b, _ = cluster.hosts
    thief = {"10.244.1.0-25": b'{"PublicIP":"192.0.2.77","BackendType":"host-gw"}'}
    absurd = {"10.9.0.0-24": b'{"PublicIP":"192.0.2.78","BackendType":"host-gw"}'}
    foreign = {"10.244.79.0-24": b'{"PublicIP":"192.0.2.79","BackendType":"carrier-pigeon"}'}
    bad = {**GARBAGE, **thief, **absurd, **foreign}
    with caplog.at_level(logging.INFO, "pybernetes.flannel"):
        for name, value in bad.items():
            await asyncio.to_thread(ctl, cluster.server, "put", f"{PREFIX}subnets/{name}", value=value)

        def warnings(name: str) -> int:
            return len([r for r in caplog.records if r.levelno >= logging.WARNING and f"{name}: " in r.getMessage()])

        await until(lambda: all(warnings(name) >= 3 for name in bad))
        before = [passes(host) for host in cluster.hosts]
        for host in cluster.hosts:
            host.daemon.request_pass()
        await until(lambda: all(passes(host) > count for host, count in zip(cluster.hosts, before, strict=True)))
        assert all(warnings(name) == 3 for name in bad)
        assert a.routes().keys() == {"10.244.2.0/24", "10.244.3.0/24"}
        assert await a.reaches(b)


async def test_without_etcd_the_data_path_stays_and_is_repaired(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, c = cluster.hosts
    cluster.server.kill()
    await until(lambda: caplog.text.count("lost etcd") >= 3)
    assert await a.reaches(b)
    await a.run("ip", "link", "del", "flannel.1")
    assert await until(lambda: len(a.routes()) == 2) < 1.5
    assert await a.reaches(b)
    await asyncio.to_thread(cluster.server.start)
    await asyncio.to_thread(ctl, cluster.server, "del", f"{PREFIX}subnets/10.244.3.0-24")
    await until(lambda: a.routes().keys() == {"10.244.2.0/24", "10.244.3.0/24"})
    assert await a.reaches(c), "the node whose lease was deleted has acquired the same subnet again"


async def test_without_etcd_a_node_with_a_new_address_is_repaired_too(cluster: Cluster) -> None:
    """Without etcd the lease cannot be updated, but the kernel state need not wait for that."""
    a, b, _ = cluster.hosts
    cluster.server.kill()
    await a.run("ip", "addr", "del", "192.0.2.1/24", "dev", "eth0")
    await a.run("ip", "addr", "add", "192.0.2.101/24", "dev", "eth0")
    await until(lambda: tunnel_source(a) == "192.0.2.101")
    await a.run("ip", "route", "del", "10.244.2.0/24")
    await until(lambda: len(a.routes()) == 2)
    assert '"PublicIP":"192.0.2.1"' in await asyncio.to_thread(lease_of_first, cluster)
    await until(lambda: any(f.dst == "192.0.2.101" for f in b.seen.forwarding), 20)
    assert await a.reaches(b)


def tunnel_source(host: Host) -> str:
    """The outer source address; empty while the device is replaced."""
    device = host.seen.links.get("flannel.1")
    return device.vxlan.local if device and device.vxlan else ""


def lease_of_first(cluster: Cluster) -> str:
    """The first node's lease, as etcd has it."""
    cluster.server.start()
    return ctl(cluster.server, "get", f"{PREFIX}subnets/10.244.1.0-24", "--print-value-only")


async def test_a_daemon_that_restarts_drops_no_packet(cluster: Cluster) -> None:
    a, b, _ = cluster.hosts
    ping = asyncio.create_task(a.run("ping", "-i", "0.01", "-c", "100", "-W", "1", "10.244.2.1"))
    mac = b.seen.links["flannel.1"].mac
    await b.stop()
    cluster.hosts[1] = again = make(2, b.netns, b.folder, cluster.server)
    again.start()
    await asyncio.wait_for(again.daemon.wait_ready(), 5)
    _, out = await ping
    assert "100 received" in out, out[-300:]
    assert again.seen.links["flannel.1"].mac == mac
    await again.stop()
    cluster.hosts.pop(1)
