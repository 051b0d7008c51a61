"""Nodes join, crash, come back, lose their leases and race for the last subnet, in a real etcd and any order."""

from __future__ import annotations

import asyncio
import ipaddress
import random
from contextlib import AsyncExitStack

import pytest

from pybernetes.flannel.etcd.allocate import PoolFull
from pybernetes.flannel.manager import Held

from .test_etcd_manager import PREFIX, TINY, Running, ctl, etcd, managing, offer, shared

__all__ = ["etcd", "shared"]
pytestmark = pytest.mark.slow


class Life:
    """Five nodes, three subnets."""

    def __init__(self, server: object, seed: int) -> None:
        self.server = server
        self.rng = random.Random(seed)
        self.live: dict[int, tuple[AsyncExitStack, Running]] = {}
        self.held: dict[int, Held] = {}
        self.before: dict[int, Held] = {}

    async def join(self, number: int) -> None:
        if number not in self.live:
            stack = AsyncExitStack()
            old = self.before.get(number)
            previous = old.subnets if old else {4: ipaddress.ip_network("10.5.0.64/26")}
            node = await stack.enter_async_context(managing(self.server.url, previous=previous))  # type: ignore[attr-defined]
            self.live[number] = (stack, node)

    async def crash(self, number: int) -> None:
        if number in self.live:
            await self.live.pop(number)[0].aclose()
            self.held.pop(number, None)

    async def expire(self, number: int) -> None:
        held = self.held.pop(number, None) or self.before.get(number)
        if held is not None:
            key = f"{PREFIX}subnets/{held.name}"
            owner = await asyncio.to_thread(ctl, self.server, "get", "--print-value-only", key)  # type: ignore[arg-type]
            if f'"192.0.2.{number}"' in owner:
                await asyncio.to_thread(ctl, self.server, "del", key)  # type: ignore[arg-type]

    async def everybody_acquires(self) -> None:
        """At the same moment."""

        async def one(number: int, node: Running) -> None:
            try:
                self.held[number] = self.before[number] = await node.manager.acquire(TINY, offer(number))
            except PoolFull:
                self.held.pop(number, None)

        for _ in range(2):  # the second pass is that of daemons which were told of the changes
            await asyncio.gather(*[one(number, node) for number, (_, node) in self.live.items()])
            await asyncio.sleep(0.02)

    async def check(self) -> None:
        keys = (await asyncio.to_thread(ctl, self.server, "get", "--prefix", "--keys-only", PREFIX)).split()  # type: ignore[arg-type]
        names = [held.name for held in self.held.values()]
        assert len(set(names)) == len(names), self.held
        assert {f"{PREFIX}subnets/{name}" for name in names} <= set(keys)
        assert len(keys) <= 3
        if len(self.live) >= 3 and len(keys) < 3:
            assert len(self.held) == len(self.live), "something is free, and somebody has nothing"


@pytest.mark.parametrize("seed", range(4))
async def test_never_two_owners_and_never_a_leaked_subnet(etcd: object, seed: int) -> None:
    life = Life(etcd, seed)
    try:
        for _ in range(12):
            for _ in range(2):
                step = life.rng.choice([life.join, life.join, life.join, life.crash, life.expire])
                await step(life.rng.randint(1, 5))
            await life.everybody_acquires()
            await life.check()
    finally:
        for number in list(life.live):
            await life.crash(number)
