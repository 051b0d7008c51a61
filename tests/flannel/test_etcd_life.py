"""Nodes join, crash, come back, are cut off, lose their leases and race for the last subnet, in a real etcd and any
order. What a node sent while it was cut off arrives late, when the node has long given up waiting for an answer.
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
    """A daemon that runs, and its way to etcd."""

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
        """At once, or in the middle of what it does next."""
        if number in self.live:
            self.live[number].cut = True
            asyncio.get_running_loop().call_later(self.rng.choice((0.0, 0.003, 0.01)), self.live[number].hole.cut)

    async def heal(self, number: int) -> None:
        if number in self.live:
            self.live[number].cut = False
            await asyncio.sleep(0.011)
            self.live[number].hole.heal()

    async def expire(self, number: int) -> None:
        """The lease runs out; one that is cut off can't know it."""
        held = self.held.get(number) or self.before.get(number)
        if held is not None and (await self.owners()).get(held.name) == number:
            await asyncio.to_thread(ctl, self.server, "del", f"{PREFIX}subnets/{held.name}")

    async def owners(self) -> dict[str, int]:
        """Number of the node by the name of each lease in etcd."""
        lines = (await asyncio.to_thread(ctl, self.server, "get", "--prefix", f"{PREFIX}subnets/")).split("\n")
        pairs = zip(lines[::2], lines[1::2], strict=False)
        return {key.rpartition("/")[2]: int(json.loads(value)["PublicIP"].rpartition(".")[2]) for key, value in pairs}

    async def everybody_acquires(self, rounds: int = 2) -> None:
        """At the same moment."""

        async def one(number: int, node: Running) -> None:
            try:
                self.held[number] = self.before[number] = await node.manager.acquire(self.pool, offer(number))
            except (PoolFull, ManagerUnavailable):
                self.held.pop(number, None)

        for _ in range(rounds):  # the second pass is that of daemons which were told of the changes
            await asyncio.gather(*[one(number, member.node) for number, member in self.live.items()])
            await asyncio.sleep(0.02)

    async def check(self) -> None:
        """What those that have a way to etcd hold is theirs; etcd has nothing that overlaps."""
        owners = await self.owners()
        assert len(owners) <= self.size
        for number, member in self.live.items():
            if not member.cut and number in self.held:
                assert owners.get(self.held[number].name) == number, (number, self.held[number], owners)

    async def settle(self) -> None:
        """All ways are open again: in the end each subnet has one owner, who knows it, and none is lost."""
        for number in self.live:
            await self.heal(number)
        async with asyncio.timeout(30):
            while fault := await self._unsettled():
                await asyncio.sleep(0.05)
                await self.everybody_acquires(1)
        del fault

    async def _unsettled(self) -> str:
        owners = await self.owners()
        held = {held.name: number for number, held in self.held.items()}
        if len(held) != len(self.held) or any(owners.get(name) != number for name, number in held.items()):
            return "a node holds what is another's"
        if any(number in self.live and held.get(name) != number for name, number in owners.items()):
            return "a node has a lease that it does not use"
        if len(owners) < self.size and len(self.held) < len(self.live):
            return "something is free, and somebody has nothing"
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
            await life.everybody_acquires()
            await life.check()
            if turn % 6 == 5:
                await life.settle()
    finally:
        for number in list(life.live):
            await life.crash(number)
