"""Racks of nodes with a router between them, as network namespaces; daemons share leases on a board."""

import asyncio
import ipaddress
import json
import os
import random
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pybernetes.flannel.backends import BACKENDS, Backends
from pybernetes.flannel.backends.bgp.actor import BirdActor
from pybernetes.flannel.backends.udp.actor import UdpActor
from pybernetes.flannel.config import IPAddress, NetworkConfig
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import Lease
from pybernetes.flannel.leases.manager import Offer, OwnSubnets
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import addr, link, netns, route, sysctl
from pybernetes.linux.rtnl import Netlink

from .kinds import learned, observe

#: IPv4 and IPv6 segment of each rack.
SEGMENTS = {1: ("192.0.2.{}/24", "2001:db8:1::{}/64"), 2: ("198.51.100.{}/24", "2001:db8:2::{}/64")}


@dataclass
class Board:
    """Where daemons see each other's leases."""

    configs: dict[str, str] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Data that an administrator added to leases, by node; all daemons see it in them."""

    def changed(self) -> None:
        for tell in list(self.listeners):
            tell()


@dataclass
class BoardManager:
    """A SubnetManager on the board: node n has 10.244.n.0/24 and fd00:244:0:n::/64."""

    board: Board
    name: str
    number: int

    def describe(self) -> str:
        return f"Board - {self.name}"

    async def run(self, changed: Callable[[], None]) -> None:
        self.board.listeners.append(changed)
        try:
            await asyncio.Event().wait()
        finally:
            self.board.listeners.remove(changed)

    async def synced(self) -> None:
        """At once."""

    def config(self) -> str:
        return self.board.configs[self.name]

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        return [family.version for family in config.families]

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        lease = self.board.leases.get(self.name)
        return {f.subnet.version: f.data for f in lease.families} if lease else {}

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        subnets = {
            4: ipaddress.ip_network(f"10.244.{self.number}.0/24"),
            6: ipaddress.ip_network(f"fd00:244:0:{self.number}::/64"),
        }
        return OwnSubnets(self.name, {family.version: subnets[family.version] for family in config.families})

    async def announce(self, lease: Lease) -> None:
        if self.board.leases.get(self.name) != lease:
            self.board.leases[self.name] = lease
            self.board.changed()

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        return [self._annotated(lease) for lease in self.board.leases.values()], []

    def _annotated(self, lease: Lease) -> Lease:
        notes = self.board.notes.get(lease.node)
        if notes is None:
            return lease
        return replace(lease, families=tuple(replace(f, data={**f.data, **notes}) for f in lease.families))


async def run_in(space: str, *argv: str) -> tuple[int, str]:
    """Exit code and output of a command in a namespace."""
    process = await asyncio.create_subprocess_exec(
        *netns.argv_in(space, argv), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def until(true: Callable[[], object], seconds: float = 12.0) -> float:
    """Wait for a condition; returns the seconds that it took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)
    return loop.time() - start


@dataclass
class Host:
    """A node and its daemon."""

    number: int
    netns: str
    folder: Path
    name: str
    bird: BirdActor
    daemon: Flanneld

    @property
    def seen(self) -> Observed:
        with Netlink(self.netns) as nl:
            return observe(nl)

    def learned_routes(self, version: int = 4) -> dict[str, str]:
        """Gateway by destination of the routes that BIRD installed."""
        return {r.dst: r.gateway for r in learned(self.seen) if r.family == version}

    async def reaches(self, other: "Host", version: int = 4) -> bool:
        target = f"10.244.{other.number}.1" if version == 4 else f"fd00:244:0:{other.number}::1"
        code, _ = await run_in(self.netns, "ping", "-c1", "-W1", "-s", "1400", target)
        return code == 0

    def ping(self, other: "Host", count: int) -> "asyncio.Task[tuple[int, str]]":
        argv = ["ping", "-i", "0.01", "-c", str(count), "-W", "1", f"10.244.{other.number}.1"]
        return asyncio.create_task(run_in(self.netns, *argv), name=f"ping from {self.name}")


@dataclass
class World:
    """The namespaces, and the nodes in them."""

    tag: str
    folder: Path
    board: Board
    stack: AsyncExitStack
    hosts: list[Host] = field(default_factory=list)
    backends: Backends = field(default_factory=lambda: BACKENDS)

    @property
    def switch(self) -> str:
        return f"{self.tag}-0"

    @property
    def router(self) -> str:
        return f"{self.tag}-r"

    def space(self, name: str) -> None:
        netns.create(name)
        self.stack.callback(netns.delete, name)

    def plug(self, space: str, device: str, rack: int, number: int) -> None:
        """An interface on a rack's switch."""
        peer = netns.open_fd(space)
        try:
            with Netlink(self.switch) as nl:
                port = f"{space.removeprefix(self.tag)}-{device}"[1:]
                link.add_veth(nl, port, device, peer_netns=peer)
                link.set_master(nl, port, link.link(nl, f"rack{rack}").index)
                link.set_up(nl, port)
        finally:
            os.close(peer)
        with Netlink(space) as nl:
            link.set_up(nl, device)
            for pattern in SEGMENTS[rack]:
                addr.add(nl, link.link(nl, device).index, pattern.format(number))

    def add_host(self, number: int, rack: int, linger: float, name: str = "") -> Host:
        space = f"{self.tag}-{number}"
        self.space(space)
        sysctl.write("net.ipv6.conf.default.accept_dad", "0", netns=space)
        self.plug(space, "eth0", rack, number)
        with Netlink(space) as nl:
            pods = link.add_bridge(nl, "cni0", up=True).index
            addr.add(nl, pods, f"10.244.{number}.1/24")
            addr.add(nl, pods, f"fd00:244:0:{number}::1/64")
            for pattern, default in zip(SEGMENTS[rack], (route.DEFAULT4, route.DEFAULT6), strict=True):
                route.add(nl, route.Route(default, gateway=pattern.format(254).partition("/")[0]))
        for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            sysctl.write(f"net.{key}", "1", netns=space)
        folder = self.folder / str(number)
        folder.mkdir()
        name = name or f"node-{number}"
        options = FlannelOptions(
            node_name=name,
            subnet_file=folder / "subnet.env",
            selection=Selection(names=("eth0",)),
            netns=space,
            linger_seconds=linger,
        )
        bird = BirdActor(folder / "bird", space)
        daemon = Flanneld(
            options,
            BoardManager(self.board, name, number),
            rules=NftRules(masquerade=True, forward=True, netns=space),
            drift=KernelDrift(space),
            actors=[bird, UdpActor(space)],
            rng=random.Random(number),
            backends=self.backends,
        )
        host = Host(number, space, folder, name, bird, daemon)
        self.hosts.append(host)
        return host

    def configure(self, backend: Mapping[str, Any], *hosts: Host, dual: bool = False) -> None:
        """Give these hosts, or all, a network config."""
        config: dict[str, Any] = {"Network": "10.244.0.0/16", "Backend": backend}
        if dual:
            config |= {"EnableIPv6": True, "IPv6Network": "fd00:244::/48"}
        for host in hosts or self.hosts:
            self.board.configs[host.name] = json.dumps(config)
        self.board.changed()

    async def start(self, *hosts: Host) -> None:
        """Run their daemons until the world is removed."""
        for host in hosts or self.hosts:
            await self.stack.enter_async_context(running(host))

    async def meshed(self, *hosts: Host) -> float:
        """Wait until each of these, or all, has learned the subnets of all."""
        subnets = {f"10.244.{host.number}.0/24" for host in self.hosts}
        return await until(
            lambda: all(h.learned_routes().keys() == subnets - {f"10.244.{h.number}.0/24"} for h in hosts or self.hosts)
        )


@asynccontextmanager
async def running(host: Host) -> AsyncIterator[None]:
    """The host's daemon."""
    task = asyncio.create_task(host.daemon.run(), name=f"flanneld of {host.name}")
    try:
        yield
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@asynccontextmanager
async def make_world(
    folder: Path, racks: Sequence[int] = (1, 1, 1), linger: float = 3.0, backends: Backends = BACKENDS
) -> AsyncIterator[World]:
    """A node for each entry of `racks`: the number of its rack."""
    async with AsyncExitStack() as stack:
        world = World(f"pbt-{os.getpid()}-{uuid.uuid4().hex[:4]}", folder, Board(), stack, backends=backends)
        world.space(world.switch)
        world.space(world.router)
        with Netlink(world.switch) as nl:
            for rack in sorted(set(racks)):
                link.add_bridge(nl, f"rack{rack}", up=True)
        sysctl.write("net.ipv6.conf.default.accept_dad", "0", netns=world.router)
        for rack in sorted(set(racks)):
            world.plug(world.router, f"eth{rack}", rack, 254)
        for key in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            sysctl.write(f"net.{key}", "1", netns=world.router)
        for number, rack in enumerate(racks, 1):
            world.add_host(number, rack, linger)
        yield world
