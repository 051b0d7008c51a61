"""The original flanneld's nodes become ours, and go back, while pods talk; and both kinds share one network.

`go_flannel.py` does to a node what the original does. Pods are attached by the stock plugins. Leases are on Nodes, in
a real API server, or in a real etcd.
"""

import asyncio
import ipaddress
import json
import os
import random
import re
import signal
import subprocess
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pytest

from cni.cni_world import STOCK
from pybernetes import cni
from pybernetes.api.core.node import Node, NodeSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver import bootstrap, codec
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import build_server
from pybernetes.client.client import Client
from pybernetes.client.informer import Informer
from pybernetes.etcd import EtcdClient
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.drift import KernelDrift
from pybernetes.flannel.etcd.manager import EtcdManager
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kube.manager import KubeManager
from pybernetes.flannel.manager import SubnetManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import configured
from pybernetes.flannel.subnet_file import previous_subnets
from pybernetes.linux import netns
from pybernetes.store.sqlite import SqliteStore
from store.etcdserver import EtcdServer

from .go_flannel import DEVICE, NETWORK, GoFlanneld, Peer, Unfit, annotations, etcd_value
from .test_daemon import ADMIN, Masters, Nobody, prepare, until
from .test_etcd_manager import ctl

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

CONFIG = json.dumps({"Network": NETWORK, "Backend": {"Type": "vxlan"}})
SUBNETS = "/coreos.com/network/subnets/"


class Leases(Protocol):
    """Where they are kept."""

    async def write(self, number: int, mac: str) -> None:
        """As the original does it."""

    async def text(self, number: int) -> Any:
        """All that is to be read there of a node's lease."""

    async def delete(self, number: int) -> None:
        """The node is no more."""

    def manager(self, node: "Machine", stack: AsyncExitStack) -> SubnetManager:
        """For a daemon of ours."""


class OnNodes:
    def __init__(self, make_client: Any) -> None:
        self._make_client = make_client
        self._nodes = make_client().of(Node)

    async def write(self, number: int, mac: str) -> None:
        cidr = f"10.244.{number}.0/24"
        meta = ObjectMeta(name=f"node-{number}", annotations=annotations(number, mac))
        await self._nodes.create(Node(metadata=meta, spec=NodeSpec(pod_cidr=cidr, pod_cidrs=[cidr])))

    async def text(self, number: int) -> Any:
        return (await self._nodes.get(f"node-{number}")).metadata.annotations

    async def delete(self, number: int) -> None:
        await self._nodes.delete(f"node-{number}")

    def manager(self, node: "Machine", stack: AsyncExitStack) -> SubnetManager:
        client = self._make_client()
        informer = Informer(client.of(Node))
        task = asyncio.create_task(informer.run(), name=f"informer of node-{node.number}")
        stack.push_async_callback(ended, task)
        return KubeManager(client, informer, node_name=f"node-{node.number}", net_conf=node.folder / "net-conf.json")


class InEtcd:
    def __init__(self, server: EtcdServer) -> None:
        self._server = server
        ctl(server, "put", "/coreos.com/network/config", CONFIG)

    async def write(self, number: int, mac: str) -> None:
        granted = ctl(self._server, "lease", "grant", "86400").split()[1]
        ctl(self._server, "put", f"--lease={granted}", f"{SUBNETS}10.244.{number}.0-24", etcd_value(number, mac))

    async def text(self, number: int) -> Any:
        return ctl(self._server, "get", f"{SUBNETS}10.244.{number}.0-24")

    async def delete(self, number: int) -> None:
        ctl(self._server, "del", f"{SUBNETS}10.244.{number}.0-24")

    def manager(self, node: "Machine", stack: AsyncExitStack) -> SubnetManager:
        client = EtcdClient([self._server.url], None, 1.0)
        stack.push_async_callback(client.close)
        return EtcdManager(client, previous=previous_subnets(node.folder / "subnet.env"))


async def ended(task: "asyncio.Task[None]") -> None:
    assert not task.done(), task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@dataclass
class Machine:
    """One node, on which one or the other runs."""

    number: int
    space: str
    pod: str
    folder: Path
    leases: Leases
    go: GoFlanneld
    ours: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def pod_ip(self) -> str:
        return f"10.244.{self.number}.2"

    async def start_go(self, mac: str, peers: list[Peer]) -> str:
        return await asyncio.to_thread(self.go.start, mac, peers)

    async def start_ours(self) -> None:
        """As a container starts that takes the other's place; returns when it is ready."""
        self.ours = AsyncExitStack()
        options = FlannelOptions(
            node_name=f"node-{self.number}",
            net_conf=self.folder / "net-conf.json",
            subnet_file=self.folder / "subnet.env",
            selection=Selection(names=("eth0",)),
            netns=self.space,
        )
        rules = configured(masquerade=True, forward=True, netns=self.space)
        manager = self.leases.manager(self, self.ours)
        drift = KernelDrift(self.space)
        daemon = Flanneld(options, manager, rules=rules, drift=drift, rng=random.Random(self.number))
        task = asyncio.create_task(daemon.run(), name=f"flanneld of node-{self.number}")
        self.ours.push_async_callback(ended, task)
        async with asyncio.timeout(20):
            await daemon.wait_ready()

    async def stop_ours(self) -> None:
        await self.ours.aclose()

    def kernel(self) -> dict[str, Any]:
        """What of flannel is in the node's kernel, in the words of the usual tools."""
        (link,) = self.go.show("link", "show", DEVICE)
        saved = [re.sub(r"\[\d+:\d+\] ", "", line) for line in self.go.run("iptables-save").splitlines()]
        return {
            "device": (link["ifindex"], link["address"], link["mtu"]),
            "routes": sorted(f"{r['dst']} {r['gateway']}" for r in self.go.show("route", "show", "dev", DEVICE)),
            "neighbours": sorted(f"{n['dst']} {n['lladdr']}" for n in self.go.show("neigh", "show", "dev", DEVICE)),
            "forwarding": sorted(
                line for line in self.go.run("bridge", "fdb", "show", "dev", DEVICE).splitlines() if " dst " in line
            ),
            "addresses": [a["local"] for a in self.go.show("-4", "addr", "show", "dev", DEVICE)[0]["addr_info"]],
            "rules": sorted(line for line in saved if "FLANNEL-" in line),
            "tables": [name for name in self.go.run("nft", "list", "tables").splitlines() if "flannel" in name],
            "subnet.env": (self.folder / "subnet.env").read_text(),
        }


@dataclass
class World:
    machines: list[Machine]
    leases: Leases

    @property
    def macs(self) -> list[Peer]:
        return [Peer(machine.number, f"0e:11:22:33:44:0{machine.number}") for machine in self.machines]

    async def all_go(self) -> None:
        """The original everywhere, and a pod on each node."""
        for machine, own in zip(self.machines, self.macs, strict=True):
            await self.leases.write(machine.number, own.mac)
            assert await machine.start_go(own.mac, [peer for peer in self.macs if peer != own]) == "created"

    @asynccontextmanager
    async def unbroken(self) -> AsyncIterator[None]:
        """Each pod pings the next one a hundred times a second; none may be lost."""
        pings = []
        for machine, other in zip(self.machines, [*self.machines[1:], self.machines[0]], strict=True):
            command = netns.argv_in(machine.pod, ["ping", "-q", "-i", "0.01", other.pod_ip])
            pipe = asyncio.subprocess.PIPE
            pings.append(await asyncio.create_subprocess_exec(*command, stdout=pipe, stderr=subprocess.STDOUT))
        await asyncio.sleep(0.2)
        try:
            yield
        finally:
            for ping in pings:
                ping.send_signal(signal.SIGINT)
            said = [(await ping.communicate())[0].decode() for ping in pings]
        for text in said:
            counts = re.search(r"(\d+) packets transmitted, (\d+) received", text)
            # The last one may still have been on its way.
            assert counts is not None and 10 < int(counts[1]) <= int(counts[2]) + 1, text


def stock(machine: Machine, command: str) -> None:
    """The stock `bridge` and `host-local`, as the original's CNI plugin calls them; and the note that it keeps."""
    config = {
        "cniVersion": "0.3.1",
        "name": "cbr0",
        "type": "bridge",
        "hairpinMode": True,
        "isDefaultGateway": True,
        "isGateway": True,
        "ipMasq": False,
        "mtu": 1450,
        "ipam": {
            "type": "host-local",
            "subnet": f"10.244.{machine.number}.0/24",
            "routes": [{"dst": NETWORK}],
            "dataDir": str(machine.folder / "networks"),
        },
    }
    text = json.dumps(config)
    call(machine, STOCK / "bridge", command, text)
    (machine.folder / "flannel").mkdir(exist_ok=True)
    (machine.folder / "flannel" / "pod").write_text(text)


def call(machine: Machine, plugin: Path, command: str, config: str) -> None:
    env = {
        "CNI_COMMAND": command,
        "CNI_CONTAINERID": "pod",
        "CNI_NETNS": f"/run/netns/{machine.pod}",
        "CNI_IFNAME": "eth0",
        "CNI_PATH": str(STOCK),
        "PATH": os.environ["PATH"],
    }
    argv = netns.argv_in(machine.space, [str(plugin)])
    done = subprocess.run(argv, input=config, capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


async def leases_of(kind: str, folder: Path, stack: AsyncExitStack) -> Leases:
    if kind == "etcd":
        return InEtcd(stack.enter_context(EtcdServer(folder / "etcd")))
    store = await SqliteStore.open(folder / "state.db", stamp=codec.stamp)
    stack.push_async_callback(store.close)
    server = build_server(ServerConfig(), store, Nobody(), Masters(), rng=random.Random(1))
    stack.push_async_callback(server.close)
    await bootstrap.run(server, ServerConfig())
    return OnNodes(lambda: Client(InProcessTransport(server, ADMIN)))


@pytest.fixture(params=["nodes", "etcd"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """Two nodes with the original, and a pod on each."""
    tag = f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}"
    numbers = (1, 2)
    async with AsyncExitStack() as stack:
        for name in ("0", *(f"{kind}{number}" for number in numbers for kind in ("", "pod"))):
            stack.callback(netns.delete, f"{tag}-{name}")
        prepare(f"{tag}-0", [f"{tag}-{number}" for number in numbers])
        leases = await leases_of(request.param, tmp_path, stack)
        machines = []
        for number in numbers:
            folder = tmp_path / f"node-{number}"
            folder.mkdir()
            (folder / "net-conf.json").write_text(CONFIG)
            space, pod = f"{tag}-{number}", f"{tag}-pod{number}"
            netns.create(pod)
            go = GoFlanneld(space, number, folder / "subnet.env")
            machines.append(Machine(number, space, pod, folder, leases, go))
            stock(machines[-1], "ADD")
            stack.push_async_callback(machines[-1].stop_ours)
        made = World(machines, leases)
        await made.all_go()
        yield made


async def test_node_by_node_to_ours_and_back(world: World) -> None:
    """Nothing is lost, nothing is there twice, and the original keeps what it finds afterwards."""
    before = [machine.kernel() for machine in world.machines]
    told = [await world.leases.text(machine.number) for machine in world.machines]
    for kernel, own in zip(before, world.macs, strict=True):
        assert kernel["device"][1] == own.mac and len(kernel["routes"]) == 1
    async with world.unbroken():
        for machine in world.machines:
            await machine.start_ours()
        ours = [machine.kernel() for machine in world.machines]
        for machine in world.machines:
            await machine.stop_ours()
            others = [peer for peer in world.macs if peer.number != machine.number]
            assert await machine.start_go("0e:ff:ff:ff:ff:ff", others) == "kept"
    # The same in every word: device and its number, routes, entries, rules of the same chains, the file.
    assert ours == before
    assert [machine.kernel() for machine in world.machines] == before
    assert [await world.leases.text(machine.number) for machine in world.machines] == told


async def test_what_the_plugins_attached_is_detached_by_ours(world: World) -> None:
    machine = world.machines[0]
    await machine.start_ours()
    cni.install(machine.folder / "bin")
    config = {
        "cniVersion": "0.3.1",
        "name": "cbr0",
        "type": "flannel",
        "subnetFile": str(machine.folder / "subnet.env"),
        "dataDir": str(machine.folder / "flannel"),
        "ipam": {"dataDir": str(machine.folder / "networks")},
        "delegate": {"hairpinMode": True, "isDefaultGateway": True},
    }
    call(machine, machine.folder / "bin/flannel", "DEL", json.dumps(config))
    assert not machine.go.show("link", "show", "type", "veth", "master", "cni0")
    assert not list((machine.folder / "networks/cbr0").glob("10.*")) and not list(
        (machine.folder / "flannel").iterdir()
    )
    call(machine, machine.folder / "bin/flannel", "ADD", json.dumps(config))
    assert len(list((machine.folder / "networks/cbr0").glob("10.*"))) == 1


async def test_both_kinds_share_one_network(world: World) -> None:
    go, ours = world.machines
    await ours.start_ours()
    async with world.unbroken():
        # A node of the original joins, and leaves: ours follows the leases that it writes.
        await world.leases.write(7, "0e:11:22:33:44:07")
        await until(lambda: len(ours.kernel()["routes"]) == 2)
        assert "10.244.7.0 0e:11:22:33:44:07" in ours.kernel()["neighbours"]
        await world.leases.delete(7)
        await until(lambda: len(ours.kernel()["routes"]) == 1)
    # The other way round: what our node told is what the original reads.
    mine = Peer(ours.number, "0e:11:22:33:44:02")
    await asyncio.to_thread(go.go.removed, mine)
    await asyncio.to_thread(go.go.added, mine)
    async with world.unbroken():
        await asyncio.sleep(0.3)


async def test_what_the_original_left_to_nodes_that_are_gone(world: World) -> None:
    machine = world.machines[0]
    before = machine.kernel()
    await asyncio.to_thread(machine.go.added, Peer(9, "0e:11:22:33:44:09"))
    machine.go.run("ip", "route", "add", "198.51.100.0/24", "via", "192.0.2.2")
    assert len(machine.kernel()["routes"]) == 2
    async with world.unbroken():
        await machine.start_ours()
        await until(lambda: machine.kernel() == before)
    assert machine.go.show("route", "show", "198.51.100.0/24"), "a route of somebody else stays"


async def test_a_device_of_another_kind_is_made_anew_and_told(world: World) -> None:
    """The original would not keep this one either; ours says the new device's MAC to all."""
    machine = world.machines[0]
    words = f"ip link add {DEVICE} type vxlan id 1 dev eth0 nolearning dstport 4789 local 192.0.2.1"
    machine.go.run("ip", "link", "del", DEVICE)
    machine.go.run(*words.split())
    with pytest.raises(Unfit, match="port"):
        machine.go.start("0e:11:22:33:44:01", [])
    await machine.start_ours()
    assert machine.go.mac() in str(await world.leases.text(1))
    assert machine.go.start("", world.macs[1:]) == "kept"


async def test_rules_of_the_original_go_when_nftables_are_wanted(world: World) -> None:
    machine = world.machines[0]
    wanted = {**json.loads(CONFIG), "EnableNFTables": True}
    (machine.folder / "net-conf.json").write_text(json.dumps(wanted))
    if isinstance(world.leases, InEtcd):
        ctl(world.leases._server, "put", "/coreos.com/network/config", json.dumps(wanted))
    async with world.unbroken():
        await machine.start_ours()
        await until(lambda: not machine.kernel()["rules"])
    assert machine.kernel()["tables"] == ["table ip flannel-ipv4"]


def test_the_subnet_file_of_the_original_is_understood(tmp_path: Path) -> None:
    text = f"FLANNEL_NETWORK={NETWORK}\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
    (tmp_path / "subnet.env").write_text(text)
    assert previous_subnets(tmp_path / "subnet.env") == {4: ipaddress.ip_network("10.244.1.0/24")}
