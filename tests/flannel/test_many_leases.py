"""Thousands of leases through flanneld into a real namespace: all are installed, half are removed, then all."""

import asyncio
import ipaddress
import json
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from pybernetes.flannel.config import IPAddress, IPNetwork, NetworkConfig
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.desired import Forwarding, Neighbour, PeerRoute
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.kernel.observed import Observed
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.leases.manager import Offer, OwnSubnets
from pybernetes.flannel.masquerade import Wanted
from pybernetes.flannel.options import FlannelOptions
from pybernetes.linux import addr, link, netns, route
from pybernetes.linux.rtnl import Netlink
from support.profiles import sized

from .kinds import observe

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

COUNT = sized(ci=1500, full=5000)
VERSIONS = (4, 6)
PATIENCE = 90.0


def subnet(version: int, number: int) -> IPNetwork:
    if version == 4:
        return ipaddress.IPv4Network(((10 << 24 | 128 << 16) + number * 256, 24))
    return ipaddress.IPv6Network(((0xFD00_0244 << 96) + (number << 64), 64))


def public(version: int, number: int) -> IPAddress:
    """One of 50 addresses: the kernel's neighbour table is shared by all namespaces and must not overflow."""
    return ipaddress.ip_address(f"192.0.2.{2 + number % 50}" if version == 4 else f"2001:db8::{2 + number % 50:x}")


def mac(number: int) -> str:
    return f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"


def lease(backend: str, number: int) -> Lease:
    data = {"VNI": 1, "VtepMAC": mac(number)} if backend == "vxlan" else {}
    parts = tuple(FamilyLease(subnet(v, number), public(v, number), data) for v in VERSIONS)
    return Lease(f"node-{number}", backend, parts)


@dataclass
class Manager:
    """A subnet manager with the leases that the test sets."""

    backend: str
    known: dict[int, Lease] = field(default_factory=dict)
    changed: Callable[[], None] = lambda: None
    announced: str = ""

    def describe(self) -> str:
        return "test"

    async def run(self, changed: Callable[[], None]) -> None:
        self.changed = changed
        await asyncio.Event().wait()

    async def synced(self) -> None:
        return

    def config(self) -> str:
        families = {"EnableIPv6": True, "Network": "10.128.0.0/9", "IPv6Network": "fd00:244::/32"}
        return json.dumps({**families, "Backend": {"Type": self.backend}})

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        return VERSIONS

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        return {}

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        return OwnSubnets("node-1", {version: subnet(version, 1) for version in VERSIONS})

    async def announce(self, lease: Lease) -> None:
        self.announced = lease.backend

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        return list(self.known.values()), []

    def hold(self, numbers: Sequence[int]) -> None:
        """Set the nodes that have leases."""
        self.known = {n: self.known.get(n) or lease(self.backend, n) for n in numbers}
        self.changed()


class NoRules:
    """No masquerading."""

    async def ensure(self, wanted: Wanted) -> list[str]:
        return []


@pytest.fixture
def space() -> Iterator[str]:
    """A node without any peer on its network."""
    name, far = (f"pbt-many-{os.getpid()}-{n}" for n in (1, 2))
    netns.create(name)
    netns.create(far)
    peer = netns.open_fd(far)
    try:
        with Netlink(name) as nl:
            link.add_veth(nl, "eth0", "eth0", peer_netns=peer)
            link.set_up(nl, "eth0")
            for cidr in ("192.0.2.1/24", "2001:db8::1/64"):
                addr.add(nl, link.link(nl, "eth0").index, cidr)
        with Netlink(far) as nl:
            link.set_up(nl, "eth0")
        yield name
    finally:
        os.close(peer)
        netns.delete(name)
        netns.delete(far)


@asynccontextmanager
async def flanneld(space: str, folder: Path, manager: Manager) -> AsyncIterator[Flanneld]:
    options = FlannelOptions(
        node_name="node-1",
        subnet_file=folder / "subnet.env",
        selection=Selection(names=("eth0",)),
        netns=space,
        linger_seconds=0.5,
    )
    daemon = Flanneld(options, manager, rules=NoRules(), drift=KernelDrift(space), rng=random.Random(1))
    task = asyncio.create_task(daemon.run(), name="flanneld")
    try:
        async with asyncio.timeout(PATIENCE):
            await daemon.wait_ready()
        yield daemon
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def seen(space: str) -> Observed:
    with Netlink(space) as nl:
        return observe(nl)


async def until(space: str, right: Callable[[Observed], bool]) -> Observed:
    """Wait until the kernel's state is right; returns it."""
    async with asyncio.timeout(PATIENCE):
        while not right(found := await asyncio.to_thread(seen, space)):
            await asyncio.sleep(0.2)
    return found


DEVICES = {4: "flannel.1", 6: "flannel-v6.1"}


def routes(backend: str, numbers: Sequence[int]) -> set[PeerRoute]:
    found = set()
    for number, version in product(numbers, VERSIONS):
        net = subnet(version, number)
        if backend == "vxlan":
            found.add(PeerRoute(str(net), str(net.network_address), DEVICES[version], onlink=True))
        else:
            found.add(PeerRoute(str(net), str(public(version, number)), "eth0"))
    return found


def right(backend: str, numbers: Sequence[int]) -> Callable[[Observed], bool]:
    """Checks that the kernel has the entries for these leases, and nothing else of ours but the devices."""
    wanted = frozenset(routes(backend, numbers))
    tunnels = list(product(numbers, VERSIONS)) if backend == "vxlan" else []
    ends = frozenset(Neighbour(DEVICES[v], str(subnet(v, n).network_address), mac(n)) for n, v in tunnels)
    outer = frozenset(Forwarding(DEVICES[v], mac(n), str(public(v, n))) for n, v in tunnels)
    devices = set(DEVICES.values()) if backend == "vxlan" else set()

    def check(now: Observed) -> bool:
        return (now.routes, now.neighbours, now.forwarding, set(now.ours)) == (wanted, ends, outer, devices)

    return check


@pytest.mark.parametrize("backend", ["vxlan", "host-gw"])
async def test_thousands_of_leases_are_added_and_removed(space: str, tmp_path: Path, backend: str) -> None:
    everyone = range(2, COUNT + 2)
    foreign = route.Route("172.31.0.0/24", gateway="192.0.2.2")
    with Netlink(space) as nl:
        route.add(nl, foreign)
    manager = Manager(backend)
    async with flanneld(space, tmp_path, manager) as daemon:
        for numbers in (everyone, everyone[::2], range(0)):
            manager.hold(numbers)
            await until(space, right(backend, numbers))
        manager.backend = "alloc"
        daemon.request_pass()
        await until(space, right("alloc", ()))
    with Netlink(space) as nl:
        assert foreign.dst in {r.dst for r in route.routes(nl)}, "a route that is not ours stays"


async def test_a_restart_keeps_thousands_of_leases(space: str, tmp_path: Path) -> None:
    """The second run changes nothing; the third removes entries of leases that were deleted while no daemon ran."""
    everyone = range(2, COUNT + 2)
    manager = Manager("vxlan")
    async with flanneld(space, tmp_path, manager):
        manager.hold(everyone)
        before = await until(space, right("vxlan", everyone))
    async with flanneld(space, tmp_path, manager):
        after = await asyncio.to_thread(seen, space)
        assert right("vxlan", everyone)(after)
        assert after.ours == before.ours
    manager.hold(everyone[:10])
    async with flanneld(space, tmp_path, manager):
        await until(space, right("vxlan", everyone[:10]))
