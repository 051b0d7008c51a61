"""Two nodes (namespaces), connected by a veth pair, each with a daemon; a board in this process has the leases."""

import asyncio
import ipaddress
import json
import os
import random
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pybernetes.flannel.backends import kernel_kinds
from pybernetes.flannel.config import IPAddress, NetworkConfig
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.kernel.reconcile import observe
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.leases.manager import Offer, OwnSubnets
from pybernetes.flannel.masquerade import Wanted
from pybernetes.flannel.options import FlannelOptions
from pybernetes.linux import addr, link, netns, sysctl, wireguard, xfrm
from pybernetes.linux.rtnl import Netlink

POD = {4: "10.244.{}.1", 6: "fd00:244:0:{}::1"}
_ETH_P_ALL = 3
KINDS = kernel_kinds(FlannelOptions(node_name=""))


@dataclass
class Board:
    """The leases of all nodes."""

    leases: dict[str, Lease] = field(default_factory=dict)
    listeners: list[Callable[[], None]] = field(default_factory=list)

    def notify(self) -> None:
        for listener in self.listeners:
            listener()


class BoardManager:
    """A subnet manager that reads and writes the board. Node n has 10.244.n.0/24 and fd00:244:0:n::/64."""

    def __init__(self, board: Board, number: int, text: str) -> None:
        self._board = board
        self._number = number
        self.text = text

    def describe(self) -> str:
        return "board"

    async def run(self, changed: Callable[[], None]) -> None:
        self._board.listeners.append(changed)
        await asyncio.Event().wait()

    async def synced(self) -> None:
        return

    def config(self) -> str:
        return self.text

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        return [family.version for family in config.families]

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        return {}

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        n = self._number
        subnets = {4: ipaddress.ip_network(f"10.244.{n}.0/24"), 6: ipaddress.ip_network(f"fd00:244:0:{n}::/64")}
        return OwnSubnets(f"node-{n}", {version: subnets[version] for version in self.versions(config)})

    async def announce(self, lease: Lease) -> None:
        known = self._board.leases.get(lease.node)
        if known != lease:
            # A different object comes back, as from serialised data.
            parts = tuple(FamilyLease(p.subnet, p.public_ip, json.loads(json.dumps(p.data))) for p in lease.families)
            self._board.leases[lease.node] = Lease(lease.node, lease.backend, parts)
            self._board.notify()

    def posted(self) -> Lease:
        """The lease that this node announced."""
        return self._board.leases[f"node-{self._number}"]

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        return list(self._board.leases.values()), []


class NoRules:
    """No masquerading."""

    async def ensure(self, wanted: Wanted) -> list[str]:
        return []


@dataclass
class Host:
    """One node with its daemon."""

    number: int
    netns: str
    folder: Path
    manager: BoardManager
    daemon: Flanneld
    task: asyncio.Task[None] = field(repr=False)
    successor: Callable[[], Flanneld] = field(repr=False)

    async def end(self) -> None:
        """Stop the daemon without clean-up, as when it is killed."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)

    def start(self) -> None:
        """Start a new daemon without state from the previous one."""
        self.daemon = self.successor()
        self.task = asyncio.create_task(self.daemon.run(), name=f"flanneld {self.number}")

    @property
    def seen(self) -> Observed:
        with Netlink(self.netns) as nl:
            return observe(nl, KINDS)

    @property
    def states(self) -> frozenset[xfrm.State]:
        return self.seen.of(xfrm.State)

    @property
    def policies(self) -> frozenset[xfrm.Policy]:
        return self.seen.of(xfrm.Policy)

    @property
    def wireguards(self) -> dict[str, wireguard.Device]:
        return {device.name: device for device in self.seen.of(wireguard.Device)}

    def routes(self) -> dict[str, str]:
        return {r.dst: r.link for r in self.seen.routes if r.link}

    async def run(self, *argv: str) -> tuple[int, str]:
        process = await asyncio.create_subprocess_exec(
            *netns.argv_in(self.netns, argv), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        out, _ = await process.communicate()
        return process.returncode or 0, out.decode()

    async def ping(self, other: "Host", version: int = 4, size: int = 56) -> bool:
        """One packet of that size, with don't-fragment set."""
        code, _ = await self.run("ping", "-c1", "-W2", "-M", "do", "-s", str(size), POD[version].format(other.number))
        return code == 0

    def capture(self) -> socket.socket:
        """A socket that receives every packet on eth0."""

        def listen() -> socket.socket:
            ear = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
            ear.bind(("eth0", 0))
            ear.setblocking(False)
            return ear

        return netns.run_in(self.netns, listen)


@dataclass
class Pair:
    """Both nodes."""

    a: Host
    b: Host
    versions: tuple[int, ...]

    @property
    def hosts(self) -> tuple[Host, Host]:
        return self.a, self.b

    def configure(self, backend: Mapping[str, Any], *hosts: Host) -> None:
        """Set the config of these nodes, or of both."""
        for host in hosts or self.hosts:
            host.manager.text = network(backend, *self.versions)
            host.daemon.request_pass()

    async def settled(self, *devices: str) -> None:
        """Wait until both nodes reach each other through these devices and have no other devices of flannel's."""

        def right() -> bool:
            return all(
                set(host.routes().values()) == set(devices) and set(host.seen.ours) == set(devices)
                for host in self.hosts
            )

        try:
            await until(right)
        except TimeoutError:
            raise AssertionError([(host.routes(), sorted(host.seen.ours)) for host in self.hosts]) from None


def network(backend: Mapping[str, Any], *versions: int) -> str:
    """A config with these address families."""
    document: dict[str, Any] = {"Backend": dict(backend), "EnableIPv4": 4 in versions, "EnableIPv6": 6 in versions}
    return json.dumps({**document, "Network": "10.244.0.0/16", "IPv6Network": "fd00:244::/48"})


async def until(true: Callable[[], bool], seconds: float = 20.0) -> float:
    """Wait for a condition; returns the seconds that it took."""
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.02)
    return loop.time() - start


@asynccontextmanager
async def pair(folder: Path, backend: Mapping[str, Any], *versions: int, linger: float = 1.5) -> AsyncIterator[Pair]:
    """Two nodes with running daemons, in a network of these families."""
    spaces = [f"pbt-{os.getpid()}-{n}" for n in (1, 2)]
    for space in spaces:
        netns.create(space)
    wire(spaces)
    board = Board()
    hosts = [
        _host(board, n, space, folder / f"node-{n}", network(backend, *versions), linger)
        for n, space in enumerate(spaces, 1)
    ]
    try:
        yield Pair(hosts[0], hosts[1], versions)
        assert not any(host.task.done() for host in hosts), hosts
    finally:
        for host in hosts:
            await host.end()
        for space in spaces:
            netns.delete(space)


def _host(board: Board, number: int, space: str, folder: Path, text: str, linger: float) -> Host:
    folder.mkdir()
    options = FlannelOptions(
        node_name=f"node-{number}",
        subnet_file=folder / "subnet.env",
        selection=Selection(names=("eth0",)),
        netns=space,
        linger_seconds=linger,
    )
    manager = BoardManager(board, number, text)

    def daemon() -> Flanneld:
        rng = random.Random(number)
        return Flanneld(options, manager, rules=NoRules(), drift=KernelDrift(space), rng=rng)

    first = daemon()
    task = asyncio.create_task(first.run(), name=f"flanneld {number}")
    return Host(number, space, folder, manager, first, task, daemon)


def wire(spaces: Sequence[str]) -> None:
    """eth0 in both namespaces, and an address of a pod."""
    far = netns.open_fd(spaces[1])
    try:
        with Netlink(spaces[0]) as nl:
            link.add_veth(nl, "eth0", "eth0", peer_netns=far)
    finally:
        os.close(far)
    for number, space in enumerate(spaces, 1):
        with Netlink(space) as nl:
            link.set_up(nl, "eth0")
            eth0, pods = link.link(nl, "eth0").index, link.add_bridge(nl, "cni0", up=True).index
            for index, cidr in (
                (eth0, f"192.0.2.{number}/24"),
                (eth0, f"2001:db8::{number}/64"),
                (pods, f"10.244.{number}.1/24"),
                (pods, f"fd00:244:0:{number}::1/64"),
            ):
                addr.add(nl, index, cidr)
        for family in ("ipv4.ip_forward", "ipv6.conf.all.forwarding"):
            sysctl.write(f"net.{family}", "1", netns=space)
