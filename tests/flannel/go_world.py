"""Nodes that run Go flanneld or our flanneld, with a pod on each, and the two places that can store leases."""

import asyncio
import json
import random
import re
import subprocess
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from pybernetes.api.core.node import Node, NodeSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver import bootstrap, codec
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import build_server
from pybernetes.client.client import Client
from pybernetes.client.errors import AlreadyExists
from pybernetes.client.informer import Informer
from pybernetes.etcd import EtcdClient
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.leases.etcd.manager import EtcdManager
from pybernetes.flannel.leases.kube.manager import KubeManager
from pybernetes.flannel.leases.manager import SubnetManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import configured
from pybernetes.flannel.subnet_file import previous_subnets
from pybernetes.linux import netns
from pybernetes.store.sqlite import SqliteStore
from store.etcdserver import EtcdServer

from .go_flannel import V4, V6, Family, GoFlanneld, Peer, annotations, etcd_value
from .steady_traffic import pinging_addresses
from .test_daemon import ADMIN, Masters, NoAuthenticator
from .test_etcd_manager import ctl

DEVICE, NETWORK = V4.device, V4.network
CONFIG = {"Network": NETWORK, "Backend": {"Type": "vxlan"}}
DUAL = {**CONFIG, "EnableIPv6": True, "IPv6Network": V6.network}
SUBNETS = "/coreos.com/network/subnets/"


class Leases(Protocol):
    """The place that stores leases."""

    async def write(self, number: int, mac: str) -> None:
        """Write a lease as Go flanneld does: of vxlan, or of host-gw if there is no MAC."""

    async def configure(self, config: dict[str, Any]) -> None:
        """Store the network config, if it is stored there too."""

    async def text(self, number: int) -> Any:
        """Everything that is stored of a node's lease."""

    async def delete(self, number: int) -> None:
        """Delete a node's lease."""

    def manager(self, node: "Machine", stack: AsyncExitStack) -> SubnetManager:
        """The subnet manager for our flanneld."""


class OnNodes:
    def __init__(self, make_client: Any, families: tuple[Family, ...]) -> None:
        self._make_client = make_client
        self._families = families
        self._nodes = make_client().of(Node)

    async def write(self, number: int, mac: str) -> None:
        cidrs = [Peer(number, mac).subnet(family) for family in self._families]
        meta = ObjectMeta(name=f"node-{number}", annotations=annotations(number, mac, self._families))
        try:
            await self._nodes.create(Node(metadata=meta, spec=NodeSpec(pod_cidr=cidrs[0], pod_cidrs=cidrs)))
        except AlreadyExists:
            await self._nodes.patch(meta.name, {"metadata": {"annotations": meta.annotations}})

    async def configure(self, config: dict[str, Any]) -> None:
        """The config is in the file."""

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
        ctl(server, "put", "/coreos.com/network/config", json.dumps(CONFIG))

    async def write(self, number: int, mac: str) -> None:
        granted = ctl(self._server, "lease", "grant", "86400").split()[1]
        ctl(self._server, "put", f"--lease={granted}", f"{SUBNETS}10.244.{number}.0-24", etcd_value(number, mac))

    async def configure(self, config: dict[str, Any]) -> None:
        ctl(self._server, "put", "/coreos.com/network/config", json.dumps(config))

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
    """One node, on which Go flanneld or ours runs."""

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
        """Start our flanneld, as a container that replaces Go flanneld's; returns when it is ready."""
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
        """flannel's objects in the node's kernel, as the usual tools print them."""
        found: dict[str, Any] = {"tables": self.go.run("nft", "list", "tables").count("flannel")}
        for family in self.go.families:
            for name, value in self._of(family).items():
                found[name if family == V4 else f"{name} 6"] = value
        # With an IPv6 underlay Go flanneld subtracts too little.
        env = (self.folder / "subnet.env").read_text()
        found["subnet.env"] = env if len(self.go.families) == 1 else env.replace("MTU=1430", "MTU=1450")
        return found

    def _of(self, family: Family) -> dict[str, Any]:
        show, device = self.go.show, family.device
        (link,) = show("link", "show", device)
        saved = [re.sub(r"\[\d+:\d+\] ", "", line) for line in self.go.run(f"{family.iptables}-save").splitlines()]
        routes = show(f"-{family.version}", "route", "show", "dev", device)
        addresses = show(f"-{family.version}", "addr", "show", "dev", device, "scope", "global")
        neighbours = show(f"-{family.version}", "neigh", "show", "dev", device, "nud", "permanent")
        entries = self.go.run("bridge", "fdb", "show", "dev", device).splitlines()
        return {
            "device": (link["ifindex"], link["address"]),
            "routes": sorted(f"{r['dst']} {r['gateway']}" for r in routes if "gateway" in r),
            "neighbours": sorted(f"{n['dst']} {n['lladdr']}" for n in neighbours),
            "forwarding": sorted(line for line in entries if " dst " in line),
            "addresses": [a["local"] for one in addresses for a in one["addr_info"] if a],
            "rules": sorted(line for line in saved if "FLANNEL-" in line),
        }


@dataclass
class World:
    machines: list[Machine]
    leases: Leases

    @property
    def macs(self) -> list[Peer]:
        return [Peer(machine.number, f"0e:11:22:33:44:0{machine.number}") for machine in self.machines]

    async def configure(self, backend: str) -> None:
        """Set another backend, for daemons that start from now on."""
        for machine in self.machines:
            path = machine.folder / "net-conf.json"
            wanted = {**json.loads(path.read_text()), "Backend": {"Type": backend}}
            path.write_text(json.dumps(wanted))
            await self.leases.configure(wanted)

    async def write_host_gw_leases(self) -> None:
        """Write all leases as Go flanneld writes them with host-gw: without data."""
        for machine in self.machines:
            await self.leases.write(machine.number, "")

    async def all_go(self) -> None:
        """Go flanneld on each node, and a pod."""
        for machine, own in zip(self.machines, self.macs, strict=True):
            await self.leases.write(machine.number, own.mac)
            assert await machine.start_go(own.mac, [peer for peer in self.macs if peer != own]) == "created"

    @asynccontextmanager
    async def unbroken(self) -> AsyncIterator[None]:
        """Each pod pings the next one a hundred times a second, and each bridge too by IPv6; no packet may be lost."""
        targets = []
        for machine, other in zip(self.machines, [*self.machines[1:], self.machines[0]], strict=True):
            targets.append((machine.pod, other.pod_ip, f"pod {machine.number}"))
            if V6 in machine.go.families:
                targets.append((machine.space, f"{other.go.own.endpoint(V6)}1", f"bridge {machine.number}"))
        async with pinging_addresses(targets) as pings:
            for ping in pings:
                await ping.answers()
            yield
            for ping in pings:
                await ping.answers()
                assert not ping.lost, f"{ping.name}: {ping.lost}"


async def leases_of(kind: str, folder: Path, stack: AsyncExitStack) -> Leases:
    if kind == "etcd":
        return InEtcd(stack.enter_context(EtcdServer(folder / "etcd")))
    store = await SqliteStore.open(folder / "state.db", stamp=codec.stamp)
    stack.push_async_callback(store.close)
    server = build_server(ServerConfig(), store, NoAuthenticator(), Masters(), rng=random.Random(1))
    stack.push_async_callback(server.close)
    await bootstrap.run(server, ServerConfig())
    return OnNodes(lambda: Client(InProcessTransport(server, ADMIN)), families_of(kind))


def families_of(kind: str) -> tuple[Family, ...]:
    return (V4, V6) if kind == "dual" else (V4,)


def add_ipv6(space: str, number: int) -> None:
    own = Peer(number, "")
    for cidr, device in ((f"{own.public_ip(V6)}/64", "eth0"), (f"{own.endpoint(V6)}1/64", "cni0")):
        subprocess.run(netns.argv_in(space, ["ip", "addr", "add", cidr, "dev", device, "nodad"]), check=True)
