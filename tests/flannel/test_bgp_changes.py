"""A network with BGP changes its sessions: AS numbers, passwords, reflectors; and BIRDs that do not keep running."""

import asyncio
import logging
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flannel.bgp_world import Host, World, make_world, run_in, running, until
from flannel.steady_traffic import add_pod, pinging
from pybernetes.flannel.backends.bgp.control import BirdError, ask

pytestmark = [pytest.mark.kernel, pytest.mark.slow]


async def talks_to(host: Host) -> dict[str, str]:
    """The peers of the established sessions, with their AS numbers, from BIRD."""
    found: dict[str, str] = {}
    try:
        answer = await ask(host.bird.socket, "show protocols all")
    except BirdError:
        return found  # BIRD is starting
    for text in "\n".join(answer).split("\nnode_")[1:]:
        if "BGP state:          Established" in text:
            words = text.split()
            found[words[words.index("address:") + 1]] = words[words.index("AS:") + 1]
    return found


async def sessions(world: World, expected: Mapping[int, set[int]], asn: int = 64512) -> None:
    """Wait until the nodes have sessions with these nodes, by number, and with no others."""
    wanted = {n: {f"192.0.2.{peer}": str(asn) for peer in peers} for n, peers in expected.items()}
    async with asyncio.timeout(40):
        while True:
            now = {host.number: await talks_to(host) for host in world.hosts}
            if all(now[n] == wanted[n] for n in wanted):
                return
            await asyncio.sleep(0.1)


MESH = {1: {2, 3, 4}, 2: {1, 3, 4}, 3: {1, 2, 4}, 4: {1, 2, 3}}
TREE = {1: {2, 3, 4}, 2: {1, 3, 4}, 3: {1, 2}, 4: {1, 2}}


async def test_from_mesh_to_reflectors_to_other_numbers_and_back(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1, 1, 1)) as world:
        world.configure({"Type": "bgp"})
        for host in world.hosts:
            add_pod(world, host)
        await world.start()
        await world.meshed()
        a, b, c, d = world.hosts
        await sessions(world, MESH)
        changes: list[tuple[dict[str, Any], dict[int, set[int]], int]] = [
            ({"RouteReflectors": ["node-1", "192.0.2.2"]}, TREE, 64512),
            ({"RouteReflectors": ["node-1", "192.0.2.2"], "ASNumber": 65001}, TREE, 65001),
            ({"ASNumber": 65001, "Password": "a secret of all"}, MESH, 65001),
            ({}, MESH, 64512),
        ]
        async with pinging((c, d), (d, c), (a, c), (d, b)) as pings:
            for options, expected, asn in changes:
                for host in world.hosts:
                    world.configure({"Type": "bgp", **options}, host)
                    await asyncio.sleep(0.1)
                await sessions(world, expected, asn)
                await world.meshed()
                for ping in pings:
                    await ping.answers()
                    assert not ping.lost, f"{ping.name}, at {options}: {ping.lost}"


async def test_reflectors_by_annotations_of_their_leases(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1, 1, 1)) as world:
        world.configure({"Type": "bgp"})
        await world.start()
        await sessions(world, MESH)
        for name in ("node-1", "node-2"):
            world.board.notes[name] = {"RouteReflectorClusterID": "244.0.0.1"}
        world.board.changed()
        await sessions(world, TREE)
        await world.meshed()
        assert "rr cluster id 244.0.0.1;" in (world.hosts[0].folder / "bird" / "bird.conf").read_text()


async def test_a_reflector_that_dies_with_another_left(tmp_path: Path) -> None:
    async with make_world(tmp_path, racks=(1, 1, 1, 1)) as world:
        world.configure({"Type": "bgp", "RouteReflectors": ["node-1", "node-2"], "GracefulRestartTime": 2})
        for host in world.hosts:
            add_pod(world, host)
        a, b, c, d = world.hosts
        await world.start(b, c, d)
        async with running(a):
            await sessions(world, TREE)
            await world.meshed()
            async with pinging((c, d), (d, b), (c, a)) as pings:
                assert a.bird.pid is not None
                a.bird._search = str(tmp_path)
                os.kill(a.bird.pid, signal.SIGKILL)
                if a.bird._child._keeper is not None:
                    a.bird._child._keeper.cancel()  # and it is not restarted
                await until(lambda: d.bird.session_states.get("node-1") == 0.0)
                await asyncio.sleep(3)  # longer than GracefulRestartTime
                for ping in pings:
                    await ping.answers()
                assert [ping.lost for ping in pings] == [[], [], []]
                assert d.learned_routes()["10.244.3.0/24"] == "192.0.2.3"


async def test_there_is_no_session_with_another_password(tmp_path: Path) -> None:
    async with make_world(tmp_path) as world:
        world.configure({"Type": "bgp", "Password": "right"})
        world.configure({"Type": "bgp", "Password": "wrong"}, world.hosts[2])
        await world.start()
        async with asyncio.timeout(30):
            while await talks_to(world.hosts[0]) != {"192.0.2.2": "64512"}:
                await asyncio.sleep(0.1)
        assert await talks_to(world.hosts[2]) == {}
        conf = world.hosts[2].folder / "bird" / "bird.conf"
        assert conf.stat().st_mode & 0o777 == 0o600
        world.configure({"Type": "bgp", "Password": "right"}, world.hosts[2])
        await world.meshed()


DYING = """#!/bin/sh
[ "$1" = -p ] && exit 0
while [ $# -gt 0 ]; do [ "$1" = -c ] && folder=${2%/*}; shift; done
echo "2026-01-01 00:00:00.000 <FATAL> Cannot open the moon" >> $folder/bird.log
exit 3
"""


async def test_a_bird_that_exits_at_once_is_a_fault(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "bird").write_text(DYING)
    (tmp_path / "bin" / "bird").chmod(0o755)
    async with make_world(tmp_path, racks=(1, 1)) as world:
        world.configure({"Type": "bgp"})
        a, b = world.hosts
        a.bird._search = str(tmp_path / "bin")
        caplog.set_level(logging.INFO, "pybernetes.flannel")
        await world.start()
        fault = "BIRD exits right after each start: <FATAL> Cannot open the moon"
        await until(lambda: fault in caplog.text, 30)
        assert "node-1" not in world.board.leases, "no peer uses bgp to reach it"
        assert caplog.text.count("BIRD ended with code 3") <= 4
        (tmp_path / "bin" / "bird").unlink()
        (tmp_path / "bin" / "bird").symlink_to("/usr/sbin/bird")
        await world.meshed(a, b)
        await until(lambda: f"no longer: {fault}" in caplog.text, 30)
        assert await a.reaches(b)


async def test_a_control_socket_with_invalid_answers(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Another program replaced the socket: flanneld logs it, and the routes stay."""
    async with make_world(tmp_path, racks=(1, 1)) as world:
        world.configure({"Type": "bgp"})
        await world.start()
        await world.meshed()
        a, b = world.hosts
        a.bird.socket.unlink()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"\x00\xff nonsense\n")
            writer.close()

        async with await asyncio.start_unix_server(serve, a.bird.socket):
            await until(lambda: "which is not part of its protocol" in caplog.text, 30)
            assert await a.reaches(b)
        assert (await run_in(a.netns, "pgrep", "-x", "-c", "bird"))[0] == 0
