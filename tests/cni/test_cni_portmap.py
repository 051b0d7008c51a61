"""Host ports: packets through both backends, and what is left afterwards."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cni.cni_world import STOCK, World
from pybernetes.cni import port_mapping, portmap, result, spec
from pybernetes.cni.errors import CniError
from pybernetes.cni.settings import Settings
from pybernetes.linux import netns

BACKENDS = ["nftables", "iptables"]


def config(result: dict[str, Any], backend: str, *ports: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "cniVersion": "1.0.0",
        "name": "cbr0",
        "type": "portmap",
        "backend": backend,
        "capabilities": {"portMappings": True},
        "runtimeConfig": {"portMappings": list(ports)},
        "prevResult": result,
        **more,
    }


WEB = {"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}


class Network:
    """An external client, the node, two pods; pod `a` answers on port 80 with the client's address."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.make("client")
        world.run("node", "ip", "link", "add", "up0", "type", "veth", "peer", "eth0", "netns", f"{world.prefix}-client")
        world.run("node", "ip", "addr", "add", "192.0.2.1/24", "dev", "up0")
        world.run("node", "ip", "link", "set", "up0", "up")
        world.run("client", "ip", "addr", "add", "192.0.2.2/24", "dev", "eth0")
        world.run("client", "ip", "link", "set", "eth0", "up")
        for pod in ("a", "b"):
            world.make(pod)
        self.result = world.call("flannel", "ADD", world.flannel(), "a")
        world.call("flannel", "ADD", world.flannel(), "b")
        self.servers = [self._listen(socket.SOCK_STREAM), self._listen(socket.SOCK_DGRAM)]

    def _listen(self, kind: int) -> socket.socket:
        def make() -> socket.socket:
            sock = socket.socket(socket.AF_INET, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", 80))
            return sock

        server = netns.run_in(f"{self.world.prefix}-a", make)
        target: Callable[[socket.socket], None] = _serve_udp
        if kind == socket.SOCK_STREAM:
            server.listen()
            target = _serve_tcp
        threading.Thread(target=target, args=(server,), daemon=True).start()
        return server

    def close(self) -> None:
        for server in self.servers:
            try:
                server.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            server.close()

    def ask(self, origin: str, ip: str, port: int, kind: int = socket.SOCK_STREAM) -> str:
        """The pod's answer, or the error."""

        def work() -> str:
            with socket.socket(socket.AF_INET, kind) as sock:
                sock.settimeout(1)
                try:
                    sock.connect((ip, port))
                    sock.send(b"?")
                    return sock.recv(100).decode()
                except OSError as error:
                    return type(error).__name__

        return netns.run_in(f"{self.world.prefix}-{origin}", work)


def _serve_tcp(server: socket.socket) -> None:
    while True:
        try:
            connection, peer = server.accept()
        except OSError:
            return
        with connection:
            connection.sendall(peer[0].encode())


def _serve_udp(server: socket.socket) -> None:
    while True:
        try:
            _, peer = server.recvfrom(100)
        except OSError:
            return
        if not peer:
            return
        server.sendto(peer[0].encode(), peer)


@pytest.fixture
def network(world: World) -> Iterator[Network]:
    made = Network(world)
    yield made
    made.close()


@pytest.mark.kernel
@pytest.mark.parametrize("backend", BACKENDS)
def test_mappings_work_from_everywhere_and_are_removed(network: Network, backend: str) -> None:
    world = network.world
    before = _rules(world)
    bound = {"hostPort": 8081, "containerPort": 80, "protocol": "TCP", "hostIP": "192.0.2.1"}
    wanted = config(network.result, backend, WEB, bound)
    for _ in range(2):  # a repeated ADD changes nothing
        assert world.call("portmap", "ADD", wanted, "a")["ips"] == network.result["ips"]
    assert network.ask("client", "192.0.2.1", 8080) == "192.0.2.2", "the client's address is kept"
    assert network.ask("client", "192.0.2.1", 8081) == "192.0.2.2"
    assert network.ask("node", "127.0.0.1", 8080) == "172.20.1.1"
    assert network.ask("node", "127.0.0.1", 8081) == "ConnectionRefusedError"
    assert network.ask("a", "192.0.2.1", 8080) == "172.20.1.1", "hairpin"
    assert network.ask("b", "192.0.2.1", 8080) == "172.20.1.1", (
        "a reply inside the subnet must come back through the node"
    )
    world.call("portmap", "CHECK", wanted, "a")
    for _ in range(2):
        world.call("portmap", "DEL", wanted, "a")
    assert network.ask("client", "192.0.2.1", 8080) == "ConnectionRefusedError"
    assert world.fails("portmap", "CHECK", wanted, "a")["code"] == 102
    assert _rules(world) - before == set()


def _rules(world: World) -> set[str]:
    """The rules of attachments, without the chains that all attachments share."""
    lines = (world.run("node", "nft", "list", "ruleset") + world.run("node", "iptables-save")).splitlines()
    return {line.strip() for line in lines if "CNI-DN" in line or ("m-" in line and "jump" in line)}


@pytest.mark.kernel
@pytest.mark.parametrize("backend", BACKENDS)
def test_known_udp_flows_are_redirected(network: Network, backend: str) -> None:
    """A client that sent from a port before the mapping existed gets answers on that port afterwards."""

    def client() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.settimeout(1)
        return sock

    world = network.world
    world.run("node", "nft", "add", "table", "ip", "t")
    world.run(
        "node", "nft", "add chain ip t c { type filter hook input priority 0; }; add rule ip t c ct state new accept"
    )
    with netns.run_in(f"{world.prefix}-client", client) as sock:
        sock.sendto(b"?", ("192.0.2.1", 5353))
        mapping = {"hostPort": 5353, "containerPort": 80, "protocol": "udp"}
        world.call("portmap", "ADD", config(network.result, backend, mapping), "a")
        sock.sendto(b"?", ("192.0.2.1", 5353))
        assert sock.recv(100) == b"192.0.2.2"


@pytest.mark.kernel
@pytest.mark.parametrize("maker, remover", [("ours", "stock"), ("stock", "ours")])
def test_the_iptables_backend_and_the_stock_plugin_remove_each_others_rules(
    network: Network, maker: str, remover: str
) -> None:
    world = network.world
    directories = {"ours": world.bin_dir, "stock": STOCK}
    wanted = config(network.result, "iptables", WEB)
    world.call("portmap", "ADD", wanted, "a", bin_dir=directories[maker])
    assert network.ask("client", "192.0.2.1", 8080) == "192.0.2.2"
    world.call("portmap", "CHECK", wanted, "a")  # the stock plugin's CHECK fails on its own pods without IPv6
    world.call("portmap", "DEL", wanted, "a", bin_dir=directories[remover])
    assert "CNI-DN" not in world.run("node", "iptables-save")


@pytest.mark.kernel
@pytest.mark.parametrize("backend", BACKENDS)
def test_gc_keeps_existing_attachments(network: Network, backend: str) -> None:
    world = network.world
    for pod, port in (("a", 8080), ("dead", 8090)):
        world.call("portmap", "ADD", config(network.result, backend, {**WEB, "hostPort": port}), pod)
    valid = [{"containerID": "a", "ifname": "eth0"}]
    collect = {**config(network.result, backend), "cniVersion": "1.1.0", "cni.dev/valid-attachments": valid}
    world.call("portmap", "GC", collect, "x")
    world.call("portmap", "CHECK", config(network.result, backend, WEB), "a")
    assert world.fails("portmap", "CHECK", config(network.result, backend, {**WEB, "hostPort": 8090}), "dead")


@pytest.mark.kernel
def test_the_newest_pod_gets_a_contested_port(network: Network) -> None:
    world = network.world
    world.call("portmap", "ADD", config(network.result, "nftables", WEB), "gone")
    wanted = config(network.result, "nftables", WEB)
    world.call("portmap", "ADD", wanted, "a")
    world.call("portmap", "DEL", wanted, "gone")
    world.call("portmap", "CHECK", wanted, "a")
    assert network.ask("client", "192.0.2.1", 8080) == "192.0.2.2"


RESULT = {"ips": [{"address": "10.0.0.2/24"}, {"address": "fd00::2/64"}]}


def test_keys_in_upper_case_as_containerd_writes_them() -> None:
    entry = {"HostPort": 8080, "ContainerPort": 80, "Protocol": "tcp", "HostIP": ""}
    call = spec.Call("ADD", {"runtimeConfig": {"portMappings": [entry]}})
    (mapping,) = [m for m in port_mapping.mappings(call.runtime, result.read(RESULT, "x")) if m.family == 4]
    assert (mapping.host_port, mapping.pod_port, mapping.host_ip) == (8080, 80, "")


def test_a_mapping_per_family_and_only_where_the_host_address_fits() -> None:
    runtime = {"portMappings": [WEB, {**WEB, "hostIP": "::1"}, {**WEB, "hostIP": "0.0.0.0"}]}
    found = port_mapping.mappings(Settings(runtime), result.read(RESULT, "x"))
    assert [(m.family, m.host_ip, m.pod_ip) for m in found] == [
        (4, "", "10.0.0.2"),
        (6, "", "fd00::2"),
        (6, "::1", "fd00::2"),
        (4, "", "10.0.0.2"),
    ]


@pytest.mark.parametrize(
    "entry, message",
    [
        ({**WEB, "hostPort": 0}, "hostPort: expected a number from 1 to 65535, got 0"),
        ({**WEB, "containerPort": 70000}, "containerPort: expected a number from 1 to 65535, got 70000"),
        ({**WEB, "hostPort": "80"}, "hostPort: expected a number"),
        ({**WEB, "protocol": "icmp"}, "unknown protocol 'icmp'"),
        ({**WEB, "hostIP": "nowhere"}, "hostIP: expected an IP address, got 'nowhere'"),
    ],
)
def test_bad_mappings(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(CniError, match=message):
        port_mapping.mappings(Settings({"portMappings": [entry]}), result.read(RESULT, "x"))


def test_without_mappings_the_result_is_passed_on() -> None:
    call = spec.Call("ADD", {"name": "n", "prevResult": RESULT})
    assert spec.render(portmap.add(call), "1.1.0") == {"cniVersion": "1.1.0", **RESULT, "dns": {}}
