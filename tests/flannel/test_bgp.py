"""The bgp backend with real BIRDs: meshes, reflectors, racks behind a router, and failures."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import pytest

from flannel.bgp_world import Host, make_world, run_in, running, until
from flannel.steady_traffic import pinging_hosts
from pybernetes.flannel.backends.bgp.control import ask
from pybernetes.flannel.backends.bgp.learned import BIRD_PROTOCOL
from pybernetes.linux import netns, route
from pybernetes.linux.process import start_time
from pybernetes.linux.rtnl import Netlink

from .kinds import learned

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


async def test_a_full_mesh(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.configure({"Type": "bgp"}, dual=True)
        await world.start()
        await world.meshed()
        a, b, c = world.hosts
        assert a.learned_routes() == {"10.244.2.0/24": "192.0.2.2", "10.244.3.0/24": "192.0.2.3"}
        await until(lambda: a.learned_routes(6).keys() == {"fd00:244:0:2::/64", "fd00:244:0:3::/64"})
        await until(lambda: b.learned_routes(6).keys() == {"fd00:244:0:1::/64", "fd00:244:0:3::/64"})
        assert await a.reaches(b) and await c.reaches(a) and await a.reaches(b, 6)
        assert not a.seen.routes, "flanneld's own routes are not needed"
        assert (
            "10.244.2.0/24 via 192.0.2.2 dev eth0 proto bird metric 2070" in ((await run_in(a.netns, "ip", "route"))[1])
        )
        assert "FLANNEL_MTU=1500" in (a.folder / "subnet.env").read_text()


ROUTER_CONFIG = """
router id 192.0.2.254;
protocol device {}
protocol direct { ipv4; }
protocol kernel { ipv4 { export where source = RTS_BGP; }; }
template bgp rack {
  local as 64600;
  ipv4 { import all; export none; };
  connect delay time 1;
}
protocol bgp rack1 from rack { neighbor range 192.0.2.0/24 as 64512; dynamic name "rack1_"; }
protocol bgp rack2 from rack { neighbor range 198.51.100.0/24 as 64512; dynamic name "rack2_"; }
"""


@contextmanager
def stock_bird(space: str, folder: Path, config: str) -> Iterator[None]:
    """BIRD on a router."""
    folder.mkdir()
    (folder / "bird.conf").write_text(config)
    argv = ["bird", "-f", "-c", str(folder / "bird.conf"), "-s", str(folder / "bird.ctl")]
    process = netns.popen_in(space, argv)
    try:
        yield
        assert process.poll() is None
    finally:
        process.terminate()
        process.wait()


async def test_racks_with_a_router_that_learns(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1, 2)) as world:
        peers = [
            {"Address": "192.0.2.254", "ASNumber": 64600, "Nodes": ["node-1", "node-2"]},
            {"Address": "198.51.100.254", "ASNumber": 64600, "Nodes": ["node-3"]},
        ]
        world.configure({"Type": "bgp", "Peers": peers})
        world.stack.enter_context(stock_bird(world.router, tmp_path / "router", ROUTER_CONFIG))
        await world.start()
        await world.meshed()
        a, b, c = world.hosts
        assert a.learned_routes() == {"10.244.2.0/24": "192.0.2.2", "10.244.3.0/24": "192.0.2.254"}
        assert c.learned_routes() == {"10.244.1.0/24": "198.51.100.254", "10.244.2.0/24": "198.51.100.254"}

        def by_router() -> dict[str, str]:
            with Netlink(world.router) as nl:
                return {r.dst: r.gateway for r in route.routes(nl, protocol=BIRD_PROTOCOL)}

        nodes = {"10.244.1.0/24": "192.0.2.1", "10.244.2.0/24": "192.0.2.2", "10.244.3.0/24": "198.51.100.3"}
        await until(lambda: by_router() == nodes)
        assert await a.reaches(c) and await c.reaches(b) and await a.reaches(b)
        world.configure({"Type": "vxlan"})
        await until(lambda: by_router() == {}, 30)


async def test_route_reflectors(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1, 1, 1)) as world:
        world.configure({"Type": "bgp", "RouteReflectors": ["node-1", "node-2"]})
        await world.start()
        await world.meshed()
        a, _, c, d = world.hosts
        assert c.learned_routes()["10.244.4.0/24"] == "192.0.2.4", (
            "the route is direct; only its announcement went through the reflectors"
        )
        assert await c.reaches(d)
        await until(lambda: len(c.bird.session_states) == 2)
        assert set(c.bird.session_states) == {"node-1", "node-2"}
        await until(lambda: a.bird.session_states == {"node-2": True, "node-3": True, "node-4": True})


async def recovered(host: Host) -> None:
    """Wait until BIRD has ended its graceful restart; then routes that were not announced again are gone."""
    async with asyncio.timeout(30):
        while any("recovery" in line.lower() for line in await ask(host.bird.socket, "show status")):
            await asyncio.sleep(0.1)


async def test_bird_killed_under_traffic(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.configure({"Type": "bgp"})
        await world.start()
        await world.meshed()
        a, b, c = world.hosts
        async with pinging_hosts((a, b), (c, a)) as pings:
            before = a.bird.pid
            assert before is not None
            os.kill(before, signal.SIGKILL)
            await until(lambda: a.bird.pid not in (None, before) and a.bird.ready)
            await recovered(a)
            for ping in pings:
                await ping.answers()
            assert [ping.lost for ping in pings] == [[], []]
        assert a.learned_routes().keys() == {"10.244.2.0/24", "10.244.3.0/24"}
        assert b.learned_routes()["10.244.1.0/24"] == "192.0.2.1"


async def test_a_learned_route_that_is_deleted_is_restored(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1)) as world:
        world.configure({"Type": "bgp"})
        await world.start()
        await world.meshed()
        a, b = world.hosts
        await run_in(a.netns, "ip", "route", "del", "10.244.2.0/24")
        await until(lambda: "10.244.2.0/24" in a.learned_routes())
        assert await a.reaches(b)


async def test_the_daemon_restarts_under_traffic(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1)) as world:
        world.configure({"Type": "bgp"})
        a, b = world.hosts
        await world.start(b)
        async with AsyncExitStack() as stack:
            async with running(a):
                await world.meshed()
                (ping,) = await stack.enter_async_context(pinging_hosts((b, a)))
                pid = a.bird.pid
                assert pid is not None
            assert start_time(pid) is None, "it ends with flanneld"
            await ping.answers()
            assert a.learned_routes() and b.learned_routes(), "graceful restart"
            await world.start(a)
            await world.meshed()
            await ping.answers()
            assert ping.lost == []


@pytest.mark.parametrize(
    "other", [{"Type": "vxlan"}, {"Type": "vxlan", "DirectRouting": True}, {"Type": "host-gw"}, {"Type": "udp"}]
)
async def test_switching_under_traffic(tmp_path: Path, other: dict[str, object]) -> None:
    async with make_world(tmp_path) as world:
        world.configure(other)
        await world.start()
        a, b, c = world.hosts
        routes = 1 if other["Type"] == "udp" else 2
        await until(lambda: all(len(host.seen.routes) == routes for host in world.hosts))
        async with pinging_hosts((a, b), (c, a)) as pings:
            for host in (b, a, c):
                world.configure({"Type": "bgp", "ASNumber": 65001}, host)
                await pings[0].answers(10)
            await world.meshed()
            await until(lambda: all(not host.seen.routes for host in world.hosts))
            for host in (c, b, a):
                world.configure(other, host)
                await pings[0].answers(10)
            await until(lambda: all(len(host.seen.routes) == routes for host in world.hosts))
            await until(lambda: all(host.bird.pid is None and not host.learned_routes() for host in world.hosts), 30)
            for ping in pings:
                await ping.answers()
            assert [ping.lost for ping in pings] == [[], []]


async def test_no_object_of_vxlan_is_left(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1), linger=1.0) as world:
        world.configure({"Type": "vxlan"}, dual=True)
        await world.start()
        await until(lambda: all(len(host.seen.routes) == 2 for host in world.hosts))
        world.configure({"Type": "bgp"}, dual=True)
        await until(lambda: all(not host.seen.ours and not host.seen.routes for host in world.hosts))
        a, b = world.hosts
        assert await a.reaches(b) and await b.reaches(a, 6)
        world.configure({"Type": "vxlan"}, dual=True)
        await until(lambda: all(len(host.seen.routes) == 2 and not learned(host.seen) for host in world.hosts))
        assert await a.reaches(b) and await b.reaches(a, 6)


async def test_routes_of_a_dead_bird_are_removed_by_another_backend(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1), linger=0.2) as world:
        world.configure({"Type": "host-gw"})
        a, _ = world.hosts
        stale = ("10.244.9.0/24", "via", "192.0.2.2", "proto", "bird", "metric", "2070")
        alien = ("10.99.0.0/24", "via", "192.0.2.2", "proto", "bird", "metric", "32")
        for entry in (stale, alien):
            assert (await run_in(a.netns, "ip", "route", "add", *entry))[0] == 0
        await world.start()
        await until(lambda: not learned(a.seen))
        assert "10.99.0.0/24" in (await run_in(a.netns, "ip", "route"))[1], "another BIRD's routes are not ours"


async def test_node_names_cannot_change_the_config(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1,)) as world:
        evil = world.add_host(2, 1, 1.0, name='x"; } protocol static { ipv4; route 0.0.0.0/0 blackhole; } #\n{"')
        world.configure({"Type": "bgp"})
        await world.start()
        await world.meshed()
        assert await evil.reaches(world.hosts[0])
        assert "0.0.0.0/0 blackhole" not in (await run_in(evil.netns, "ip", "route"))[1]


async def test_without_bird_the_problem_is_logged_and_nothing_changes(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with make_world(tmp_path, racks=(1, 1), linger=0.2) as world:
        a, b = world.hosts
        world.configure({"Type": "host-gw"})
        await world.start()
        await until(lambda: len(a.seen.routes) == 1 and len(b.seen.routes) == 1)
        a.bird._search = str(tmp_path)
        world.configure({"Type": "bgp"}, a)
        await until(lambda: "apt-get install bird2" in caplog.text)
        assert await a.reaches(b) and a.seen.routes


KILLED = """
import asyncio, sys
from pathlib import Path
from pybernetes.flannel.backends.bgp.actor import BirdActor
from pybernetes.flannel.kernel.desired import Desired
from pybernetes.flannel.backends.bgp.speaker import BgpSpeaker

async def main():
    actor = BirdActor(Path(sys.argv[1]), sys.argv[2])
    speaker = BgpSpeaker("10.244.0.0/16", "10.244.1.0/24", "192.0.2.1", 64512, 60)
    assert await actor.apply(None, None, Desired(speaker)) == []
    print(actor.pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_bird_exits_with_a_killed_daemon(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1,)) as world:
        (a,) = world.hosts
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", KILLED, str(tmp_path / "bird"), a.netns), stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        pid = int(await process.stdout.readline())
        assert start_time(pid) is not None
        process.kill()
        await process.wait()
        await until(lambda: start_time(pid) is None, 2.0)
