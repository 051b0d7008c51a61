"""Changes in a namespace arrive as events; lost ones as a Resync."""

from __future__ import annotations

import asyncio

import pytest

from pybernetes.linux import addr, fdb, link, monitor, neigh, route
from pybernetes.linux.rtnl import Netlink

pytestmark = pytest.mark.kernel


async def test_every_kind_of_event(ns: str, nl: Netlink) -> None:
    seen: set[tuple[str, bool]] = set()
    async with monitor.Monitor(ns) as events:
        vx = link.add_vxlan(nl, "vx", 7, up=True)
        addr.add(nl, vx.index, "10.1.0.1/24")
        neigh.replace(nl, neigh.Neighbour(vx.index, "10.1.0.9", "02:00:00:00:00:02"))
        fdb.append(nl, fdb.FdbEntry(vx.index, "02:00:00:00:00:02", "192.0.2.9"))
        there = route.Route("10.2.0.0/24", vx.index, protocol=99)
        route.add(nl, there)
        route.delete(nl, there)
        link.delete(nl, "vx")
        async with asyncio.timeout(2):
            async for event in events:
                assert not isinstance(event, monitor.Resync)
                seen.add((type(event).__name__, event.gone))
                if isinstance(event, monitor.LinkEvent) and event.gone:
                    break
    kinds = ["LinkEvent", "AddressEvent", "NeighbourEvent", "FdbEvent", "RouteEvent"]
    assert {(kind, False) for kind in kinds} <= seen
    assert {("RouteEvent", True), ("AddressEvent", True), ("LinkEvent", True)} <= seen


async def test_only_subscribed_groups_are_reported(ns: str, nl: Netlink) -> None:
    async with monitor.Monitor(ns, groups=("addr",)) as events:
        br = link.add_bridge(nl, "br0", up=True)
        addr.add(nl, br.index, "10.1.0.1/24")
        event = await asyncio.wait_for(anext(events), 2)
    assert isinstance(event, monitor.AddressEvent)


async def test_an_overflow_becomes_a_resync(ns: str, nl: Netlink) -> None:
    async with monitor.Monitor(ns, groups=("route",), receive_buffer=2048) as events:
        many = [route.Route(f"10.{i // 256}.{i % 256}.0/24", kind="blackhole") for i in range(600)]
        nl.run([route.request("add", r) for r in many])  # the event loop cannot read in the meantime
        async with asyncio.timeout(2):
            async for event in events:
                if isinstance(event, monitor.Resync):
                    break
    assert "dropped" in event.reason


async def test_malformed_bytes_become_a_resync() -> None:
    watcher = monitor.Monitor()
    watcher._take(b"\x03\x00\x00\x00" * 8)
    assert isinstance(await anext(watcher), monitor.Resync)
