"""Paths with a smaller MTU than the interface: reported once, with the fix."""

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybernetes.flannel.background.path_mtu import PathMtu, PeerPath, ladder, sentence
from pybernetes.linux import link
from pybernetes.linux.rtnl import Netlink

from .bgp_world import World, make_world, until

FAR, FAR6 = "198.51.100.2", "2001:db8:2::2"


def path(node: str = "node-2", address: str = FAR, size: int = 1500, overhead: int = 50) -> PeerPath:
    return PeerPath(node, ipaddress.ip_address(address), size, overhead, "eth0")


def test_log_lines() -> None:
    line = sentence(path(), 1400)
    assert "packets of 1500 bytes from eth0 do not reach 198.51.100.2 unfragmented, those of 1400 do" in line
    assert "set Backend.MTU to 1350" in line
    assert "set the MTU of eth0 to 1400" in sentence(path(overhead=0), 1400)
    assert ladder(1500)[0] == 1492 and ladder(577) == [576] and ladder(500) == []


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """Two racks, and a router between them whose second interface has a small MTU."""
    async with make_world(tmp_path, (1, 2)) as made:
        narrow(made, 1400)
        yield made


def narrow(world: World, mtu: int) -> None:
    with Netlink(world.router) as nl:
        link.set_mtu(nl, "eth2", mtu)


@pytest.mark.kernel
@pytest.mark.slow
async def test_the_daemon_logs_once_and_measures(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.configure({"Type": "vxlan"}, dual=True)
    await world.start()
    # Pods' packets fit both families' tunnels, so IPv4's stay smaller than the interface's MTU.
    for peer, size, address in (("node-2", 1480, FAR), ("node-2", 1500, FAR6), ("node-1", 1480, "192.0.2.1")):
        line = f"{peer}: packets of {size} bytes from eth0 do not reach {address} unfragmented, those of 1400 do"
        await until(lambda line=line: line in caplog.text, 90)  # type: ignore[misc]
    await until(lambda: caplog.text.count("unfragmented, those of 1400 do") == 4, 90)
    a = world.hosts[0].daemon
    for _ in range(3):
        a.request_pass()
        await asyncio.sleep(0.1)
    lines = [
        r.getMessage() for r in caplog.records if r.levelno == logging.WARNING and "unfragmented" in r.getMessage()
    ]
    assert len(lines) == len(set(lines)) == 4
    assert b'flannel_peer_path_mtu_bytes{peer="node-2"} 1400.0' in a.metrics.expose()


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.parametrize("address", [FAR, FAR6])
async def test_it_follows_the_path(world: World, address: str) -> None:
    wide, tested = path(address=address), PathMtu(lambda: [path(address=address)], world.hosts[0].netns)
    await tested.round()
    assert tested.passes == {wide: 1400} and len(tested.problems) == 1 and tested.sizes == {"node-2": 1400}
    narrow(world, 1500)
    await tested.round()
    assert tested.passes == {wide: 1500} and not tested.problems


@pytest.mark.kernel
@pytest.mark.slow
async def test_smaller_tunnels_and_silent_peers_are_no_problem(world: World) -> None:
    gone = path("gone", "198.51.100.99")
    tested = PathMtu(lambda: [path(size=1400), gone], world.hosts[0].netns)
    await tested.round()
    assert tested.passes == {path(size=1400): 1400} and not tested.problems


@pytest.mark.kernel
@pytest.mark.slow
async def test_a_new_path_is_tested_at_once(world: World) -> None:
    paths: list[PeerPath] = []
    tested = PathMtu(lambda: paths, world.hosts[0].netns)
    changed = asyncio.Event()
    task = asyncio.create_task(tested.run(changed.set), name="path MTU")
    try:
        await asyncio.sleep(0)
        paths.append(path())
        tested.look()
        await asyncio.wait_for(changed.wait(), 90)
        assert tested.problems
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
