"""A node with two pods and an external host: real connections through the rules, in both modes."""

import asyncio
import os
import socket
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from pybernetes.api.core.service import Service, ServicePort, ServiceSpec
from pybernetes.api.discovery.endpoint_slice import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.informer import Cache
from pybernetes.linux import addr, link, netns, nft, route, sysctl
from pybernetes.linux.rtnl import Netlink
from pybernetes.proxy.daemon import KubeProxy
from pybernetes.proxy.options import ProxyOptions

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

VIP, NODE, OUTSIDE = "10.96.0.9", "192.0.2.1", "192.0.2.99"
PODS = ("10.244.1.2", "10.244.1.3")


class StubInformer:
    """An informer whose objects come from the test."""

    def __init__(self) -> None:
        self.cache: Cache = Cache()
        self._handlers: list[Callable] = []

    def add_handler(self, handler: Callable) -> None:
        self._handlers.append(handler)
        for obj in self.cache.all():
            handler(None, obj)

    async def synced(self) -> None:
        return

    def put(self, obj: object) -> None:
        old = self.cache.put(obj)
        for handler in self._handlers:
            handler(old, obj)

    def remove(self, key: str) -> None:
        old = self.cache.remove(key)
        for handler in self._handlers:
            handler(old, None)


def tcp_server(where: str, ip: str) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.create_server((ip, 8080))
        sock.setblocking(False)
        return sock

    return netns.run_in(where, make)


def udp_socket(where: str, ip: str, port: int) -> socket.socket:
    def make() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind((ip, port))
        return sock

    return netns.run_in(where, make)


@dataclass
class World:
    """Namespaces: `node` with a bridge, one per pod, and `outside` on the node's segment."""

    tag: str
    mode: str
    services: StubInformer = field(default_factory=StubInformer)
    slices: StubInformer = field(default_factory=StubInformer)

    @property
    def node(self) -> str:
        return f"{self.tag}-n"

    @property
    def outside(self) -> str:
        return f"{self.tag}-o"

    def pod(self, ip: str) -> str:
        return f"{self.tag}-p{ip[-1]}"

    def service(self, **spec: object) -> None:
        ports = [ServicePort(name="http", port=80, protocol="TCP", node_port=30080)]
        values = {"type": "NodePort", "cluster_ip": VIP, "cluster_ips": [VIP], "ports": ports, **spec}
        self.services.put(Service(metadata=ObjectMeta(name="web", namespace="d"), spec=ServiceSpec(**values)))

    def endpoints(self, *ips: str, local: bool = True, protocol: str = "TCP") -> None:
        self.slices.put(
            EndpointSlice(
                metadata=ObjectMeta(name="web-1", namespace="d", labels={"kubernetes.io/service-name": "web"}),
                address_type="IPv4",
                ports=[EndpointPort(name="http", port=8080, protocol=protocol)],
                endpoints=[
                    Endpoint(
                        addresses=[ip], node_name="me" if local else "other", conditions=EndpointConditions(ready=True)
                    )
                    for ip in ips
                ],
            )
        )

    @asynccontextmanager
    async def proxy(self) -> AsyncIterator[KubeProxy]:
        options = ProxyOptions(
            node_name="me",
            mode=self.mode,
            cluster_cidrs=("10.244.0.0/16",),
            netns=self.node,
            min_sync_seconds=0.01,
            sync_seconds=0.3,
        )
        proxy = KubeProxy(options, self.services, self.slices)  # type: ignore[arg-type]
        task = asyncio.create_task(proxy.run())
        try:
            async with asyncio.timeout(10):
                await proxy.wait_ready()
            yield proxy
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def get(self, where: str, ip: str = VIP, port: int = 80) -> tuple[str, str]:
        """Connect from a namespace: (the endpoint that answered, the source address that it saw)."""
        loop = asyncio.get_running_loop()
        sock = netns.run_in(where, lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        sock.setblocking(False)
        with sock:
            async with asyncio.timeout(1):
                await loop.sock_connect(sock, (ip, port))
                text = (await loop.sock_recv(sock, 100)).decode()
        server, _, seen = text.partition(" ")
        return server, seen

    async def eventually(self, check: Callable[[], object]) -> None:
        """Wait until a condition is true: a change takes a moment to reach the kernel."""
        last: BaseException | None = None
        for _ in range(100):
            try:
                if await check():  # type: ignore[misc]
                    return
            except (OSError, TimeoutError) as error:
                last = error
            await asyncio.sleep(0.03)
        raise AssertionError(f"condition is still false: {last!r}")


def _link(a: str, name: str, b: str, cidr: str, gateway: str) -> None:
    """Create a veth pair: `name` in namespace a, eth0 with an address in b."""
    fd = netns.open_fd(b)
    try:
        with Netlink(a) as nl:
            link.add_veth(nl, name, "eth0", peer_netns=fd, up=True)
    finally:
        os.close(fd)
    with Netlink(b) as nl:
        link.set_up(nl, "lo")
        link.set_up(nl, "eth0")
        addr.add(nl, link.link(nl, "eth0").index, cidr)
        if gateway:
            route.add(nl, route.Route("0.0.0.0/0", gateway=gateway))


@pytest.fixture(params=["nftables", "iptables"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}", request.param)
    spaces = [made.node, made.outside, *(made.pod(ip) for ip in PODS)]
    for space in spaces:
        netns.create(space)
    try:
        with Netlink(made.node) as nl:
            link.set_up(nl, "lo")
            bridge = link.add_bridge(nl, "cni0", up=True).index
            addr.add(nl, bridge, "10.244.1.1/24")
        for number, ip in enumerate(PODS):
            _link(made.node, f"veth{number}", made.pod(ip), f"{ip}/24", "10.244.1.1")
        _link(made.node, "eth0", made.outside, f"{OUTSIDE}/24", "")
        with Netlink(made.node) as nl:
            for number in range(len(PODS)):
                link.set_master(nl, f"veth{number}", bridge)
                link.set_hairpin(nl, link.link(nl, f"veth{number}").index, True)
            addr.add(nl, link.link(nl, "eth0").index, f"{NODE}/24")
            route.add(nl, route.Route("0.0.0.0/0", gateway=OUTSIDE))
        with Netlink(made.outside) as nl:
            route.add(nl, route.Route("10.96.0.0/16", gateway=NODE))
        for name in ("net.ipv4.ip_forward", "net.bridge.bridge-nf-call-iptables"):
            sysctl.write(name, "1", netns=made.node)
        yield made
    finally:
        for space in spaces:
            netns.delete(space)


@pytest.fixture
async def servers(world: World) -> AsyncIterator[None]:
    """Each pod answers with its address and the client's."""

    async def answer(ip: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{ip} {writer.get_extra_info('peername')[0]}".encode())
        await writer.drain()
        writer.close()

    running = []
    for ip in PODS:
        running.append(
            await asyncio.start_server(lambda r, w, ip=ip: answer(ip, r, w), sock=tcp_server(world.pod(ip), ip))
        )
    yield
    for server in running:
        server.close()


@pytest.mark.usefixtures("servers")
async def test_connections_reach_every_endpoint_with_their_source_address(world: World) -> None:
    world.service()
    world.endpoints(*PODS)
    async with world.proxy():
        answers = [await world.get(world.pod(PODS[0])) for _ in range(30)]
        assert {server for server, _ in answers} == set(PODS)
        # another pod sees the client's address; the pod itself sees the gateway's
        assert {seen for server, seen in answers if server == PODS[1]} == {PODS[0]}
        assert {seen for server, seen in answers if server == PODS[0]} == {"10.244.1.1"}


@pytest.mark.usefixtures("servers")
async def test_node_ports_and_the_node_itself(world: World) -> None:
    world.service()
    world.endpoints(*PODS)
    async with world.proxy():
        server, seen = await world.get(world.outside, NODE, 30080)
        assert server in PODS and seen == "10.244.1.1"
        assert (await world.get(world.node))[0] in PODS
        assert (await world.get(world.outside, VIP))[1] == "10.244.1.1"


@pytest.mark.usefixtures("servers")
async def test_a_local_policy_keeps_the_clients_address(world: World) -> None:
    world.service(external_traffic_policy="Local")
    world.endpoints(PODS[0])
    async with world.proxy():
        assert await world.get(world.outside, NODE, 30080) == (PODS[0], OUTSIDE)
        world.endpoints(PODS[0], local=False)

        async def dropped() -> bool:
            try:
                await world.get(world.outside, NODE, 30080)
            except TimeoutError:
                return True
            return False

        await world.eventually(dropped)
        assert (await world.get(world.pod(PODS[1])))[0] == PODS[0]


@pytest.mark.usefixtures("servers")
async def test_an_internal_local_policy_without_endpoints_drops(world: World) -> None:
    world.service(internal_traffic_policy="Local")
    world.endpoints(PODS[0], local=False)
    async with world.proxy():
        with pytest.raises(TimeoutError):
            await world.get(world.pod(PODS[1]))


@pytest.mark.usefixtures("servers")
async def test_clients_stick_to_their_endpoint(world: World) -> None:
    world.service(session_affinity="ClientIP")
    world.endpoints(*PODS)
    async with world.proxy():
        answers = {(await world.get(world.pod(PODS[1])))[0] for _ in range(12)}
        assert len(answers) == 1
        (chosen,) = answers
        world.endpoints(*(ip for ip in PODS if ip != chosen))

        async def moved() -> bool:
            return (await world.get(world.pod(PODS[1])))[0] != chosen

        await world.eventually(moved)


@pytest.mark.usefixtures("servers")
async def test_without_endpoints_connections_are_refused_at_once(world: World) -> None:
    world.service()
    world.endpoints()
    async with world.proxy():
        for where, ip, port in ((world.pod(PODS[0]), VIP, 80), (world.node, VIP, 80), (world.outside, NODE, 30080)):
            with pytest.raises(ConnectionRefusedError):
                await world.get(where, ip, port)
        world.endpoints(PODS[1])

        async def served() -> bool:
            return (await world.get(world.pod(PODS[0])))[0] == PODS[1]

        await world.eventually(served)
        world.services.remove("d/web")

        async def gone() -> bool:
            try:
                await world.get(world.pod(PODS[0]))
            except (OSError, TimeoutError):
                return True
            return False

        await world.eventually(gone)


@pytest.mark.usefixtures("servers")
async def test_rules_that_another_program_removes_are_restored(world: World) -> None:
    world.service()
    world.endpoints(*PODS)
    async with world.proxy():
        assert (await world.get(world.pod(PODS[0])))[0] in PODS
        if world.mode == "nftables":
            nft.apply("flush ruleset", world.node)
        else:
            nft.apply("flush chain ip nat PREROUTING", world.node)

        async def back() -> bool:
            return (await world.get(world.pod(PODS[0])))[0] in PODS

        await world.eventually(back)


async def test_udp_flows_of_a_removed_endpoint_are_deleted_and_others_stay(world: World) -> None:
    world.service(ports=[ServicePort(name="http", port=80, protocol="UDP")])
    world.endpoints(PODS[1], protocol="UDP")
    loop = asyncio.get_running_loop()
    servers = {ip: udp_socket(world.pod(ip), ip, 8080) for ip in PODS}
    client = udp_socket(world.pod(PODS[0]), PODS[0], 5555)
    async with world.proxy():
        await loop.sock_sendto(client, b"one", (VIP, 80))
        async with asyncio.timeout(1):
            assert await loop.sock_recv(servers[PODS[1]], 10) == b"one"
        world.endpoints(PODS[0], protocol="UDP")
        got = b""
        for _ in range(60):
            await loop.sock_sendto(client, b"two", (VIP, 80))
            await asyncio.sleep(0.03)
            try:
                got = servers[PODS[0]].recv(10)
                break
            except BlockingIOError:
                continue
        assert got == b"two"
    for sock in (*servers.values(), client):
        sock.close()
