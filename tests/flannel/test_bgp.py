"""The bgp backend with real BIRDs: meshes, reflectors, racks with a router of its own, and what goes wrong."""

from pathlib import Path

import pytest

from flannel.bgp_world import make_world, run_in, until

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


async def test_a_full_mesh(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.configure({"Type": "bgp"}, dual=True)
        await world.start()
        await world.meshed()
        a, b, c = world.hosts
        assert a.ways() == {"10.244.2.0/24": "192.0.2.2", "10.244.3.0/24": "192.0.2.3"}
        await until(lambda: a.ways(6).keys() == {"fd00:244:0:2::/64", "fd00:244:0:3::/64"})
        await until(lambda: b.ways(6).keys() == {"fd00:244:0:1::/64", "fd00:244:0:3::/64"})
        assert await a.reaches(b) and await c.reaches(a) and await a.reaches(b, 6)
        assert not a.seen.routes, "ours are not needed"
        assert (
            "10.244.2.0/24 via 192.0.2.2 dev eth0 proto bird metric 2070" in ((await run_in(a.netns, "ip", "route"))[1])
        )
        assert "FLANNEL_MTU=1500" in (a.folder / "subnet.env").read_text()
