"""Daemons that are killed, or exit, at any moment of a change of backend, and restart."""

import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from flannel import board_daemon
from flannel.bgp_world import Host, World, make_world
from flannel.steady_traffic import add_pod, pinging, streaming
from flannel.test_switching import WAYS, differences, picture, settled

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


@dataclass
class Daemons:
    """A process for each node."""

    world: World
    board: Path
    linger: float
    log: Path
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)

    def configure(self, way: str) -> None:
        config = json.dumps({"Network": "10.244.0.0/16", "Backend": WAYS[way]})
        for host in self.world.hosts:
            board_daemon.write(self.board / f"{host.name}.config", config)

    async def start(self, host: Host) -> None:
        argv = [host.netns, str(host.number), str(self.board), str(host.folder), str(self.linger)]
        with self.log.open("ab") as log:
            self.running[host.name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "flannel.board_daemon", *argv),
                stderr=log,
                env={"PYTHONPATH": ":".join(sys.path), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
            )

    async def end(self, host: Host, how: signal.Signals) -> None:
        process = self.running[host.name]
        assert process.returncode is None, self.log.read_text()
        process.send_signal(how)
        await process.wait()


@asynccontextmanager
async def daemons(folder: Path, way: str, linger: float = 3.0) -> AsyncIterator[Daemons]:
    """Three nodes with a pod each, which have completed the switch to this way."""
    async with make_world(folder, linger=linger) as world:
        made = Daemons(world, folder / "board", linger, folder / "log")
        made.board.mkdir()
        made.configure(way)
        try:
            for host in world.hosts:
                add_pod(world, host)
                await made.start(host)
            await settled(world, way)
            yield made
        finally:
            for process in made.running.values():
                if process.returncode is None:
                    process.kill()
                await process.wait()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_a_daemon_exits_during_a_change(tmp_path: Path, how: signal.Signals) -> None:
    """At a random moment; the next run completes the change. The kernel forwards packets all the time."""
    rng = random.Random()
    async with daemons(tmp_path, "vxlan") as made:
        a, b, c = made.world.hosts
        first = [await picture(host) for host in made.world.hosts]
        async with streaming(a, b), pinging((a, b), (b, a), (c, a), (b, c)) as pings:
            for way in ("host-gw", "bgp", "direct", "bgp", "vxlan"):
                made.configure(way)
                moment = rng.uniform(0, 2)
                await asyncio.sleep(moment)
                host = rng.choice(made.world.hosts)
                await made.end(host, how)
                await made.start(host)
                await settled(made.world, way)
                for ping in pings:
                    await ping.answers()
                    assert not ping.lost, f"{ping.name} lost {ping.lost}: {host.name} ended {moment:.3f} s after {way}"
        assert differences(first, [await picture(host) for host in made.world.hosts]) == []


async def test_the_udp_proxy_is_killed_with_its_daemon(tmp_path: Path) -> None:
    """Packets to and from its node stop until flanneld restarts; those between other nodes do not."""
    async with daemons(tmp_path, "udp") as made:
        a, b, c = made.world.hosts
        async with pinging((a, b), (b, c)) as (cut, other):
            await cut.answers()
            await made.end(a, signal.SIGKILL)
            await made.start(a)
            await cut.answers()
            await other.answers()
            assert cut.lost and not other.lost
            made.configure("vxlan")
            await made.end(a, signal.SIGKILL)
            await made.start(a)
            await settled(made.world, "vxlan")
            assert not other.lost


async def test_bird_and_its_daemon_are_killed(tmp_path: Path) -> None:
    async with daemons(tmp_path, "bgp") as made:
        a, b, c = made.world.hosts
        async with pinging((a, b), (b, a), (c, a)) as pings:
            for _ in range(3):
                await made.end(a, signal.SIGKILL)
                await made.start(a)
                await settled(made.world, "bgp")
                for ping in pings:
                    await ping.answers(100)
            assert [ping.lost for ping in pings] == [[], [], []]
