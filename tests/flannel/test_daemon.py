"""Three daemons on three nodes (network namespaces on one switch), all in this process, with a real API server."""

import asyncio
import json
import logging
import os
import random
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pybernetes.api.core.node import Node, NodeSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver import bootstrap, codec
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import build_server
from pybernetes.apiserver.types import Attributes, Decision, User
from pybernetes.client.client import Client
from pybernetes.client.errors import Unreachable
from pybernetes.client.informer import Informer
from pybernetes.client.transport import Request, Response
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.kube.manager import KubeManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import addr, link, netns, sysctl
from pybernetes.linux.rtnl import Netlink
from pybernetes.store.sqlite import SqliteStore

from .kinds import observe
from .steady_traffic import pinging_addresses

pytestmark = [pytest.mark.kernel, pytest.mark.slow]
ADMIN = User("admin", ("system:masters", "system:authenticated"))


class Gate:
    """The connection to the API server; while `away`, requests fail and open watches end."""

    def __init__(self, inner: InProcessTransport) -> None:
        self._inner = inner
        self._lost = asyncio.Event()

    @property
    def away(self) -> bool:
        return self._lost.is_set()

    def close_way(self) -> None:
        self._lost.set()

    def open_way(self) -> None:
        self._lost = asyncio.Event()

    async def request(self, request: Request) -> Response:
        if self.away:
            raise Unreachable("no answer: connection refused")
        return await self._inner.request(request)

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        if self.away:
            raise Unreachable("no answer: connection refused")
        lost = asyncio.ensure_future(self._lost.wait())
        async with aclosing(self._inner.stream(request)) as lines:
            try:
                while True:
                    batch = asyncio.ensure_future(anext(lines))
                    await asyncio.wait({batch, lost}, return_when=asyncio.FIRST_COMPLETED)
                    if not batch.done():
                        batch.cancel()
                        await asyncio.gather(batch, return_exceptions=True)
                        raise Unreachable("connection lost")
                    yield batch.result()
            finally:
                lost.cancel()

    async def close(self) -> None:
        """Nothing to close."""


class NoAuthenticator:
    async def authenticate(self, headers: Mapping[str, str], certificate: object) -> User | None:
        return None


class Masters:
    def authorize(self, attributes: Attributes) -> Decision:
        return Decision("system:masters" in attributes.user.groups)


@dataclass
class Host:
    """One node with its daemon."""

    number: int
    netns: str
    folder: Path
    gate: Gate
    daemon: Flanneld

    @property
    def name(self) -> str:
        return f"node-{self.number}"

    @property
    def seen(self) -> Observed:
        with Netlink(self.netns) as nl:
            return observe(nl)

    def routes(self) -> dict[str, str]:
        return {r.dst: r.link for r in self.seen.routes}

    async def run(self, *argv: str) -> tuple[int, str]:
        command = netns.argv_in(self.netns, argv)
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def reaches(self, other: "Host") -> bool:
        code, _ = await self.run("ping", "-c1", "-W1", f"10.244.{other.number}.1")
        return code == 0

    def configure(self, backend: str) -> None:
        text = json.dumps({"Network": "10.244.0.0/16", "Backend": {"Type": backend}})
        fresh = self.folder / "next"
        fresh.write_text(text)
        fresh.rename(self.folder / "net-conf.json")


async def until(true: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait for a condition; returns the seconds that it took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
    return loop.time() - start


def prepare(switch: str, spaces: list[str]) -> None:
    """Create the namespaces, each with eth0 on a bridge in the switch's namespace, and with an address of a pod."""
    for space in (switch, *spaces):
        netns.create(space)
    with Netlink(switch) as nl:
        link.add_bridge(nl, "br0", up=True)
    for number, space in enumerate(spaces, 1):
        peer = netns.open_fd(space)
        try:
            with Netlink(switch) as nl:
                link.add_veth(nl, f"port{number}", "eth0", peer_netns=peer)
                link.set_master(nl, f"port{number}", link.link(nl, "br0").index)
                link.set_up(nl, f"port{number}")
        finally:
            os.close(peer)
        with Netlink(space) as nl:
            link.set_up(nl, "lo")
            link.set_up(nl, "eth0")
            addr.add(nl, link.link(nl, "eth0").index, f"192.0.2.{number}/24")
            addr.add(nl, link.add_bridge(nl, "cni0", up=True).index, f"10.244.{number}.1/24")
        sysctl.write("net.ipv4.ip_forward", "1", netns=space)


@asynccontextmanager
async def running(host: Host, nodes: Informer[Node]) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(nodes.run(), name=f"informer of {host.name}"),
        asyncio.create_task(host.daemon.run(), name=f"flanneld of {host.name}"),
    ]
    try:
        yield
        assert not any(task.done() for task in tasks), tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass
class Cluster:
    admin: Client
    hosts: list[Host]

    async def settled(self) -> None:
        """Every node has a route to every other."""
        subnets = {f"10.244.{host.number}.0/24" for host in self.hosts}
        for host in self.hosts:
            await until(lambda host=host: len(subnets - host.routes().keys()) == 1)  # type: ignore[misc]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    spaces = [f"{tag}-{number}" for number in (1, 2, 3)]
    async with AsyncExitStack() as stack:
        store = await SqliteStore.open(tmp_path / "state.db", stamp=codec.stamp)
        stack.push_async_callback(store.close)
        server = build_server(ServerConfig(), store, NoAuthenticator(), Masters(), rng=random.Random(1))
        stack.push_async_callback(server.close)
        await bootstrap.run(server, ServerConfig())
        for space in (f"{tag}-0", *spaces):
            stack.callback(netns.delete, space)
        prepare(f"{tag}-0", spaces)
        admin = Client(InProcessTransport(server, ADMIN))
        made = Cluster(admin, [])
        for number, space in enumerate(spaces, 1):
            folder = tmp_path / f"node-{number}"
            folder.mkdir()
            gate = Gate(InProcessTransport(server, ADMIN))
            client = Client(gate)
            nodes = Informer(client.of(Node))
            options = FlannelOptions(
                node_name=f"node-{number}",
                net_conf=folder / "net-conf.json",
                subnet_file=folder / "subnet.env",
                selection=Selection(names=("eth0",)),
                netns=space,
                linger_seconds=0.5,
            )
            rules = NftRules(masquerade=True, forward=True, netns=space)
            manager = KubeManager(client, nodes, node_name=f"node-{number}", net_conf=options.net_conf)
            daemon = Flanneld(options, manager, rules=rules, drift=KernelDrift(space), rng=random.Random(number))
            host = Host(number, space, folder, gate, daemon)
            host.configure("vxlan")
            made.hosts.append(host)
            cidr = f"10.244.{number}.0/24"
            await admin.of(Node).create(
                Node(metadata=ObjectMeta(name=host.name), spec=NodeSpec(pod_cidr=cidr, pod_cidrs=[cidr]))
            )
            await stack.enter_async_context(running(host, nodes))
        await made.settled()
        yield made


async def test_nodes_find_each_other(cluster: Cluster) -> None:
    a, b, c = cluster.hosts
    assert await a.reaches(b) and await b.reaches(c) and await c.reaches(a)
    assert a.daemon.ready
    assert "FLANNEL_SUBNET=10.244.1.1/24" in (a.folder / "subnet.env").read_text()
    node = await cluster.admin.of(Node).get("node-1")
    notes = {key.partition("/")[2]: value for key, value in node.metadata.annotations.items()}
    assert (notes["public-ip"], notes["backend-type"], notes["kube-subnet-manager"]) == ("192.0.2.1", "vxlan", "true")
    assert json.loads(notes["backend-data"])["VtepMAC"] == a.seen.links["flannel.1"].mac
    (condition,) = [c for c in node.status.conditions if c.type == "NetworkUnavailable"]
    assert (condition.status, condition.reason) == ("False", "FlannelIsUp")


@pytest.mark.parametrize(
    "damage",
    [
        ("ip", "route", "del", "10.244.2.0/24"),
        ("ip", "link", "del", "flannel.1"),
        ("ip", "link", "set", "flannel.1", "down"),
        ("ip", "neigh", "flush", "dev", "flannel.1", "nud", "permanent"),
        ("ip", "addr", "flush", "dev", "flannel.1"),
    ],
)
async def test_external_changes_are_repaired_within_a_second(cluster: Cluster, damage: tuple[str, ...]) -> None:
    a, b, _ = cluster.hosts
    before = a.seen
    await a.run(*damage)

    def repaired() -> bool:
        now = a.seen
        same = (now.routes, now.neighbours, now.addresses) == (before.routes, before.neighbours, before.addresses)
        return same and "flannel.1" in now.ours and now.ours["flannel.1"].up

    assert await until(repaired) < 1.0
    assert await a.reaches(b)


async def test_flushed_rules_are_restored(cluster: Cluster) -> None:
    a = cluster.hosts[0]
    _, before = await a.run("nft", "list", "tables")
    assert "flannel" in before
    loop = asyncio.get_running_loop()
    start = loop.time()
    await a.run("nft", "flush", "ruleset")
    while (await a.run("nft", "list", "tables"))[1] != before:
        assert loop.time() - start < 5, "not within five seconds"
    assert loop.time() - start < 1.0


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
async def test_the_backend_is_switched_under_traffic(cluster: Cluster, order: tuple[int, ...]) -> None:
    a = cluster.hosts[0]
    async with pinging_addresses([(a.netns, f"10.244.{n}.1", f"ping {n}") for n in (2, 3)]) as pings:
        for backend in ("host-gw", "vxlan", "host-gw"):
            for place in order:
                await pings[0].answers(5)
                cluster.hosts[place].configure(backend)
            want = "eth0" if backend == "host-gw" else "flannel.1"
            for host in cluster.hosts:
                await until(lambda host=host, want=want: set(host.routes().values()) == {want})  # type: ignore[misc]
        for ping in pings:
            await ping.answers()
            assert not ping.lost, f"{ping.name}: {ping.lost}"
    for host in cluster.hosts:
        await until(lambda host=host: not host.seen.ours)  # type: ignore[misc]
        assert not host.seen.neighbours and not host.seen.forwarding


async def test_a_malformed_lease_on_a_node_is_logged_once_and_does_no_harm(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    a, b, _ = cluster.hosts
    nodes = cluster.admin.of(Node)
    prefix = "flannel.alpha.coreos.com/"
    bad = {
        "bad-ip": {prefix + "public-ip": "300.1.1.1"},
        "bad-json": {prefix + "public-ip": "192.0.2.90", prefix + "backend-data": "{"},
        "bad-backend": {prefix + "public-ip": "192.0.2.91", prefix + "backend-type": "carrier-pigeon"},
        "thief": {prefix + "public-ip": "192.0.2.92", prefix + "backend-type": "vxlan"},
    }
    with caplog.at_level(logging.INFO, "pybernetes.flannel"):
        for number, (name, notes) in enumerate(bad.items(), 90):
            cidr = "10.244.1.0/24" if name == "thief" else f"10.244.{number}.0/24"
            meta = ObjectMeta(name=name, annotations={prefix + "kube-subnet-manager": "true", **notes})
            await nodes.create(Node(metadata=meta, spec=NodeSpec(pod_cidr=cidr, pod_cidrs=[cidr])))

        def warnings() -> int:
            return len([r for r in caplog.records if r.levelno >= logging.WARNING])

        await until(lambda: all(f"{name}: " in caplog.text for name in bad) and warnings() >= 3 * len(bad))
        for _ in range(3):
            a.daemon.request_pass()
            await asyncio.sleep(0.1)
        assert warnings() == 3 * len(bad), "once by each daemon"
        assert set(a.routes()) == {"10.244.2.0/24", "10.244.3.0/24"}
        assert await a.reaches(b)
        await nodes.delete("bad-ip")
        await until(lambda: "no longer: bad-ip" in caplog.text)


async def test_objects_of_a_deleted_node_are_removed(cluster: Cluster) -> None:
    a, b, c = cluster.hosts
    mac = c.seen.links["flannel.1"].mac
    c.gate.close_way()
    await cluster.admin.of(Node).delete("node-3")
    for host in (a, b):
        await until(lambda host=host: "10.244.3.0/24" not in host.routes())  # type: ignore[misc]
        seen = host.seen
        assert mac not in {n.mac for n in seen.neighbours} | {f.mac for f in seen.forwarding}
    assert await a.reaches(b)


async def test_without_the_api_server_the_data_path_stays_and_is_repaired(cluster: Cluster) -> None:
    a, b, c = cluster.hosts
    for host in cluster.hosts:
        host.gate.close_way()
    assert await a.reaches(b)
    await a.run("ip", "link", "del", "flannel.1")
    assert await until(lambda: len(a.routes()) == 2) < 1.5
    assert await a.reaches(b)
    await cluster.admin.of(Node).delete("node-3")
    for host in cluster.hosts:
        host.gate.open_way()
    await until(lambda: set(a.routes()) == {"10.244.2.0/24"})
    assert set(c.routes()) == {"10.244.1.0/24", "10.244.2.0/24"}, "a deleted node keeps its objects"
