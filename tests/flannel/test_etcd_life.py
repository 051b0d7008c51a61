"""Nodes join, crash, restart, are cut off, lose their leases and race for the last subnet, in any order, with a real
etcd. Requests that a node sent while it was cut off arrive late, after the node has given up waiting for an answer.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from pybernetes.flannel.config import NetworkConfig
from pybernetes.flannel.leases.etcd.allocate import PoolFull
from pybernetes.flannel.leases.manager import ManagerUnavailable, OwnSubnets
from store.etcdserver import EtcdServer

from .black_hole import BlackHole
from .test_etcd_manager import PREFIX, TINY, Running, config, ctl, etcd, managing, offer, shared

__all__ = ["etcd", "shared"]
pytestmark = pytest.mark.slow

LAST = config('{"Network":"10.5.0.0/24","SubnetLen":26,"SubnetMin":"10.5.0.64","SubnetMax":"10.5.0.64"}')
NODES = 5


@dataclass
class Member:
    """A running daemon, and its connection to etcd."""

    stack: AsyncExitStack
    node: Running
    hole: BlackHole
    cut: bool = False


class Life:
    """Five nodes, and fewer subnets."""

    def __init__(self, server: EtcdServer, pool: NetworkConfig, size: int, seed: int) -> None:
        self.server = server
        self.pool = pool
        self.size = size
        self.rng = random.Random(seed)
        self.live: dict[int, Member] = {}
        self.held: dict[int, OwnSubnets] = {}
        self.before: dict[int, OwnSubnets] = {}

    async def join(self, number: int) -> None:
        if number not in self.live:
            stack = AsyncExitStack()
            old = self.before.get(number)
            previous = old.subnets if old else {4: ipaddress.ip_network("10.5.0.64/26")}
            hole = await stack.enter_async_context(BlackHole(self.server.ports[0]))
            node = await stack.enter_async_context(managing(hole.url, previous=previous, timeout=0.15))
            self.live[number] = Member(stack, node, hole)

    async def crash(self, number: int) -> None:
        if number in self.live:
            await self.live.pop(number).stack.aclose()
            self.held.pop(number, None)

    async def cut(self, number: int) -> None:
        """Cut the connection now, or in the middle of the node's next operation."""
        if number in self.live:
            self.live[number].cut = True
            asyncio.get_running_loop().call_later(self.rng.choice((0.0, 0.003, 0.01)), self.live[number].hole.cut)

    async def heal(self, number: int) -> None:
        if number in self.live:
            self.live[number].cut = False
            await asyncio.sleep(0.011)
            self.live[number].hole.heal()

    async def expire(self, number: int) -> None:
        """The lease expires; a node that is cut off cannot know it."""
        held = self.held.get(number) or self.before.get(number)
        if held is not None and (await self.owners()).get(held.name) == number:
            await asyncio.to_thread(ctl, self.server, "del", f"{PREFIX}subnets/{held.name}")

    async def owners(self) -> dict[str, int]:
        """The node's number for the name of each lease in etcd."""
        lines = (await asyncio.to_thread(ctl, self.server, "get", "--prefix", f"{PREFIX}subnets/")).split("\n")
        pairs = zip(lines[::2], lines[1::2], strict=False)
        return {key.rpartition("/")[2]: int(json.loads(value)["PublicIP"].rpartition(".")[2]) for key, value in pairs}

    async def all_acquire(self, rounds: int = 2) -> None:
        """All nodes acquire a subnet at the same moment."""

        async def one(number: int, node: Running) -> None:
            try:
                self.held[number] = self.before[number] = await node.manager.acquire(self.pool, offer(number))
            except (PoolFull, ManagerUnavailable):
                self.held.pop(number, None)

        for _ in range(rounds):  # the second pass follows the changes of the first
            await asyncio.gather(*[one(number, member.node) for number, member in self.live.items()])
            await asyncio.sleep(0.02)

    async def check(self) -> None:
        """Nodes with a connection own what they hold; no keys in etcd overlap."""
        owners = await self.owners()
        assert len(owners) <= self.size
        for number, member in self.live.items():
            if not member.cut and number in self.held:
                assert owners.get(self.held[number].name) == number, (number, self.held[number], owners)

    async def settle(self) -> None:
        """Restore all connections: at the end each subnet has one owner that knows it, and none is leaked."""
        for number in self.live:
            await self.heal(number)
        async with asyncio.timeout(30):
            while fault := await self._unsettled():
                await asyncio.sleep(0.05)
                await self.all_acquire(1)
        del fault

    async def _unsettled(self) -> str:
        owners = await self.owners()
        held = {held.name: number for number, held in self.held.items()}
        if len(held) != len(self.held) or any(owners.get(name) != number for name, number in held.items()):
            return "a node holds another node's subnet"
        if any(number in self.live and held.get(name) != number for name, number in owners.items()):
            return "a node has a lease that it does not use"
        if len(owners) < self.size and len(self.held) < len(self.live):
            return "a subnet is free, and a node has none"
        return ""


@pytest.mark.parametrize(("pool", "size"), [(TINY, 3), (LAST, 1)], ids=["three subnets", "the last subnet"])
@pytest.mark.parametrize("seed", range(4))
async def test_never_two_owners_and_never_a_leaked_subnet(
    etcd: EtcdServer, pool: NetworkConfig, size: int, seed: int
) -> None:
    life = Life(etcd, pool, size, seed)
    steps = [life.join] * 3 + [life.crash, life.expire] + [life.cut, life.heal]
    try:
        for turn in range(12):
            for _ in range(2):
                await life.rng.choice(steps)(life.rng.randint(1, NODES))
            await life.all_acquire()
            await life.check()
            if turn % 6 == 5:
                await life.settle()
    finally:
        for number in list(life.live):
            await life.crash(number)
