"""Network namespaces as segments, routers, NATs, nodes that run flanneld, and pods on them.

All names begin with `pbt-`, and everything is removed with the world. Nodes lease their subnets in a real etcd.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import os
import random
import subprocess
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pybernetes.etcd import EtcdClient, EtcdTls
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.etcd.manager import EtcdManager
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import addr, link, netns, route, sysctl
from pybernetes.linux.rtnl import Netlink
from store.etcdserver import EtcdServer

from .bgp_world import run_in
from .kinds import observe

PREFIX = "/coreos.com/network/"
ROUTER = 254
#: Addresses of each segment by family; the host's number is inserted.
SEGMENTS = {
    "a": {4: "192.0.2.{}/24", 6: "2001:db8:1::{:x}/64"},
    "b": {4: "198.51.100.{}/24", 6: "2001:db8:2::{:x}/64"},
    "home": {4: "172.16.9.{}/24", 6: "fd09:9::{:x}/64"},
}
DEFAULTS = {4: route.DEFAULT4, 6: route.DEFAULT6}


async def until(true: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)


def address(segment: str, number: int, version: int = 4) -> str:
    """A host's address on a segment, without the prefix length."""
    return SEGMENTS[segment][version].format(number).partition("/")[0]


def ctl(server: EtcdServer, *words: str) -> str:
    """etcdctl, as an administrator would use it."""
    command = ["etcdctl", f"--endpoints={server.url}"]
    if pki := server.certificates:
        command += [f"--cacert={pki}/ca.pem", f"--cert={pki}/client.pem", f"--key={pki}/client.key"]
    done = subprocess.run([*command, *words], capture_output=True, env={"ETCDCTL_API": "3", "PATH": "/usr/bin"})
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def subnet(number: int, version: int = 4) -> str:
    """The pod subnet of a node."""
    return f"10.244.{number}.0/24" if version == 4 else f"fd00:244:0:{number}::/64"


@dataclass
class Pod:
    """A namespace behind a node's bridge."""

    netns: str
    ips: Mapping[int, str]
    mtu: int


@dataclass
class Node:
    """A node and its daemon, which may be stopped and started again."""

    number: int
    netns: str
    folder: Path
    segment: str
    make: Callable[[], tuple[Flanneld, EtcdClient]]
    versions: tuple[int, ...]
    daemon: Flanneld
    client: EtcdClient
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self.task is not None:
            self.daemon, self.client = self.make()
        self.task = asyncio.create_task(self.daemon.run(), name=f"flanneld of node {self.number}")

    async def stop(self) -> None:
        """Stop without clean-up, like a crash."""
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
        await self.client.close()

    @property
    def seen(self) -> Observed:
        with Netlink(self.netns) as nl:
            return observe(nl)

    def routes(self) -> dict[str, str]:
        """Device by destination of flannel's routes."""
        return {r.dst: r.link for r in self.seen.routes}

    def env(self) -> dict[str, str]:
        """The variables in subnet.env."""
        return dict(line.split("=", 1) for line in (self.folder / "subnet.env").read_text().splitlines())

    def pod(self, world: World) -> Pod:
        """A pod as the CNI plugins make it."""
        world.pods += 1
        pod = f"{world.tag}-p{world.pods}"
        mtu = int(self.env()["FLANNEL_MTU"])
        world.space(pod)
        host = f"veth{world.pods}"
        inside = netns.open_fd(pod)
        try:
            with Netlink(self.netns) as nl:
                link.add_veth(nl, host, "eth0", mtu=mtu, peer_netns=inside, master=link.link(nl, "cni0").index, up=True)
        finally:
            os.close(inside)
        ips = {}
        with Netlink(pod) as nl:
            link.set_up(nl, "eth0")
            for version in self.versions:
                net = ipaddress.ip_network(subnet(self.number, version))
                ips[version] = str(net[9 + world.pods])
                addr.add(nl, link.link(nl, "eth0").index, f"{ips[version]}/{net.prefixlen}")
                route.add(nl, route.Route(DEFAULTS[version], gateway=str(net[1])))
        return Pod(pod, ips, mtu)


@dataclass
class World:
    """The namespaces and the nodes in them."""

    tag: str
    folder: Path
    server: EtcdServer
    versions: tuple[int, ...]
    stack: AsyncExitStack
    nodes: list[Node] = field(default_factory=list)
    pods: int = 0

    def space(self, name: str) -> None:
        netns.create(name)
        self.stack.callback(netns.delete, name)
        sysctl.write("net.ipv6.conf.default.accept_dad", "0", netns=name)
        for key in ("all", "default"):
            sysctl.write(f"net.ipv4.conf.{key}.rp_filter", "0", netns=name)

    def segment(self, name: str, mtu: int = 1500) -> None:
        with Netlink(f"{self.tag}-0") as nl:
            link.add_bridge(nl, f"seg-{name}", mtu=mtu, up=True)

    def plug(self, space: str, device: str, segment: str, number: int, mtu: int = 1500) -> None:
        """An interface on a segment."""
        peer = netns.open_fd(space)
        try:
            with Netlink(f"{self.tag}-0") as nl:
                port = f"{space.removeprefix(self.tag)[1:]}-{device}"
                master = link.link(nl, f"seg-{segment}")
                link.add_veth(nl, port, device, mtu=master.mtu, peer_netns=peer, master=master.index, up=True)
        finally:
            os.close(peer)
        with Netlink(space) as nl:
            link.set_mtu(nl, device, mtu)
            link.set_up(nl, device)
            for version in self.versions:
                cidr = SEGMENTS[segment][version].format(number)
                addr.add(nl, link.link(nl, device).index, cidr)

    def router(self, name: str, segments: Mapping[str, int], mtu: int = 1500) -> str:
        """A namespace that forwards between segments; `segments` has its number on each."""
        space = f"{self.tag}-{name}"
        self.space(space)
        self._forward(space)
        for segment, number in segments.items():
            self.plug(space, f"eth-{segment}", segment, number, mtu)
        return space

    def _forward(self, space: str) -> None:
        for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            sysctl.write(f"net.{key}", "1", netns=space)

    async def translate(self, space: str, segment: str, inside: str, public: str) -> None:
        """Make the router a one-to-one NAT for `inside`, with a public address on a segment."""
        device = f"eth-{segment}"
        with Netlink(space) as nl:
            addr.add(nl, link.link(nl, device).index, f"{public}/24")
        rules = f"""table ip nat {{
            chain pre {{
                type nat hook prerouting priority -100
                ip daddr {public} dnat to {inside}
            }}
            chain post {{
                type nat hook postrouting priority 100
                ip saddr {inside} oifname "{device}" snat to {public}
            }}
        }}"""
        code, out = await run_in(space, "nft", rules)
        assert code == 0, out

    def node(
        self,
        number: int,
        segment: str = "a",
        *,
        mtu: int = 1500,
        public: str = "",
        urls: Sequence[str] = (),
        tls: EtcdTls | None = None,
        **manager: Any,
    ) -> Node:
        """A node whose daemon has not been started; its default route is the segment's router, if there is one."""
        space, folder = f"{self.tag}-{number}", self.folder / f"node-{number}"
        self.space(space)
        self._forward(space)
        folder.mkdir()
        self.plug(space, "eth0", segment, number, mtu)
        with Netlink(space) as nl:
            pods = link.add_bridge(nl, "cni0", up=True).index
            for version in self.versions:
                net = ipaddress.ip_network(subnet(number, version))
                addr.add(nl, pods, f"{net[1]}/{net.prefixlen}")
                route.add(nl, route.Route(DEFAULTS[version], gateway=address(segment, ROUTER, version)))
        options = FlannelOptions(
            node_name=f"node-{number}",
            subnet_file=folder / "subnet.env",
            selection=Selection(names=("eth0",), public_ips={4: public} if public else None),
            netns=space,
            linger_seconds=0.5,
        )

        def make() -> tuple[Flanneld, EtcdClient]:
            client = EtcdClient(urls or [self.server.url], tls, 1.0)
            previous = {version: ipaddress.ip_network(subnet(number, version)) for version in self.versions}
            leases = EtcdManager(client, previous=previous, **manager)
            rules = NftRules(masquerade=True, forward=True, netns=space)
            return Flanneld(options, leases, rules=rules, drift=KernelDrift(space), rng=random.Random(number)), client

        made = Node(number, space, folder, segment, make, self.versions, *make())
        self.stack.push_async_callback(made.stop)
        self.nodes.append(made)
        return made

    def configure(self, backend: Mapping[str, Any]) -> None:
        """Set the network config."""
        config: dict[str, Any] = {
            "Backend": backend,
            "EnableIPv4": 4 in self.versions,
            "EnableIPv6": 6 in self.versions,
        }
        config |= {"Network": "10.244.0.0/16"} if 4 in self.versions else {}
        config |= {"IPv6Network": "fd00:244::/48"} if 6 in self.versions else {}
        ctl(self.server, "put", f"{PREFIX}config", json.dumps(config))

    async def start(self, backend: Mapping[str, Any]) -> None:
        """Run all daemons, and wait until each has completed a pass with all leases."""
        await asyncio.to_thread(self.configure, backend)
        for node in self.nodes:
            node.start()
        await until(lambda: all(node.daemon.ready for node in self.nodes))

    async def routed(self, *nodes: Node, via: str = "") -> None:
        """Wait until these nodes, or all, have routes to exactly the other nodes' subnets, on one device."""
        for node in nodes or self.nodes:
            others = [other for other in self.nodes if other is not node]
            want = {subnet(other.number, version) for other in others for version in self.versions}
            await until(
                lambda node=node, want=want: (  # type: ignore[misc]
                    node.routes().keys() == want and (not via or set(node.routes().values()) == {via})
                )
            )


@asynccontextmanager
async def make_world(
    folder: Path, server: EtcdServer, versions: tuple[int, ...] = (4,), segments: Mapping[str, int] | None = None
) -> AsyncIterator[World]:
    """An empty world with these segments, each with its MTU; flannel's keys in etcd are deleted."""
    await asyncio.to_thread(ctl, server, "del", "--prefix", "")
    async with AsyncExitStack() as stack:
        world = World(f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}", folder, server, versions, stack)
        world.space(f"{world.tag}-0")
        for name, mtu in (segments or {"a": 1500}).items():
            world.segment(name, mtu)
        yield world
        for node in world.nodes:
            assert node.task is None or not node.task.done() or node.task.cancelled(), node.task
