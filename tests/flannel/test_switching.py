"""A running network changes its backend, from each to each other: no packet is lost, no object is left over."""

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from flannel.bgp_world import Host, World, make_world, run_in, until
from flannel.steady_traffic import add_pod, pinging, streaming
from flannel.test_bgp import ROUTER_CONFIG, stock_bird
from pybernetes.flannel.options import FlannelOptions

from .kinds import learned

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

WAYS: dict[str, dict[str, object]] = {
    "vxlan": {"Type": "vxlan"},
    "host-gw": {"Type": "host-gw"},
    "direct": {"Type": "vxlan", "DirectRouting": True},
    "udp": {"Type": "udp"},
    "bgp": {"Type": "bgp"},
}
LINKS = {"vxlan": {"flannel.1"}, "direct": {"flannel.1"}, "udp": {"flannel0"}}
#: The link on which the peers' subnets are reached, or BIRD.
BY = {"vxlan": "flannel.1", "host-gw": "eth0", "direct": "eth0", "udp": "flannel0", "bgp": "eth0"}
Picture = dict[str, list[str]]
PORTS = {"vxlan": {"udp 8472"}, "direct": {"udp 8472"}, "udp": {"udp 8285"}, "bgp": {"tcp 179"}}


def walk(ways: Sequence[str]) -> Iterator[str]:
    """A circuit in which every ordered pair of ways is one step (Eulerian, by Hierholzer's algorithm)."""
    left = {way: [other for other in ways if other != way] for way in ways}
    stack, circuit = [ways[0]], []
    while stack:
        if left[stack[-1]]:
            stack.append(left[stack[-1]].pop())
        else:
            circuit.append(stack.pop())
    return reversed(circuit)


def test_the_walk_has_every_pair_once() -> None:
    steps = list(walk(list(WAYS)))
    pairs = list(pairwise(steps))
    assert len(pairs) == len(set(pairs)) == 20


async def words(host: Host, *argv: str) -> list[str]:
    """The lines that a command prints in the host's namespace."""
    code, out = await run_in(host.netns, *argv)
    assert code == 0, out
    return out.splitlines()


async def ports(host: Host) -> set[str]:
    """The ports on which programs listen."""
    found = set()
    for kind in ("udp", "tcp"):
        for line in await words(host, "ss", "-Hln", f"--{kind}"):
            found.add(f"{kind} {line.split()[3].rpartition(':')[2]}")
    return found


#: Entries that the kernel adds to every device with a delay.
_OWN = re.compile(r"\bfe80::|\bff00::").search


async def programs(host: Host) -> list[str]:
    """The programs in the host's namespace, except short-lived ones."""
    pids = await words(host, "ip", "netns", "pids", host.netns)
    return sorted({name_of(pid) for pid in pids} - {"", "ip", "nft", "nsenter", "ss"})


def name_of(pid: str) -> str:
    """A process's name; empty if it has exited."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


async def picture(host: Host) -> Picture:
    """Every object in the host's namespace that a backend may have created, as tools show it."""
    addresses = json.loads("".join(await words(host, "ip", "-j", "-4", "addr")))
    return {
        "addresses": sorted(f"{a['local']} on {i['ifname']}" for i in addresses for a in i["addr_info"]),
        "routes": sorted(r for r in await words(host, "ip", "route", "show", "table", "all") if not _OWN(r)),
        "rules": await words(host, "ip", "rule"),
        "neighbours": sorted(await words(host, "ip", "neigh", "show", "nud", "permanent")),
        "tables": sorted(await words(host, "nft", "list", "tables")),
        "ports": sorted(await ports(host)),
        "programs": await programs(host),
        "files": sorted(path.name for path in host.folder.glob("bird/*") if ".log" not in path.name),
    }


def differences(before: list[Picture], now: list[Picture]) -> list[object]:
    """The differences for each host: missing objects and additional ones."""
    return [
        (key, sorted(set(old[key]) - set(new[key])), sorted(set(new[key]) - set(old[key])))
        for old, new in zip(before, now, strict=True)
        for key in old
        if old[key] != new[key]
    ]


def there(host: Host, way: str) -> bool:
    """Whether the host has the links, routes and entries of this way, and no others."""
    seen = host.seen
    peers = 2
    links = LINKS.get(way, set())
    routes = {"udp": {"10.244.0.0/16"}, "bgp": set()}.get(
        way, {f"10.244.{n}.0/24" for n in (1, 2, 3) if n != host.number}
    )
    tunnels = peers if way in ("vxlan", "direct") else 0
    return (
        set(seen.ours) == links
        and {r.dst for r in seen.routes} == routes
        and {r.link for r in seen.routes} <= {BY[way]}
        and len(learned(seen)) == (peers if way == "bgp" else 0)
        and len(seen.neighbours) == len(seen.forwarding) == tunnels
        and (host.folder / "bird" / "bird.ctl").exists() == (way == "bgp")
    )


async def settled(world: World, way: str) -> None:
    """Wait until all nodes have the objects of this way, and no others."""
    try:
        await until(lambda: all(there(host, way) for host in world.hosts), 40)
    except TimeoutError:
        wrong = {host.name: await picture(host) for host in world.hosts if not there(host, way)}
        raise AssertionError(f"{way}: {wrong}") from None


async def change(world: World, way: str, turn: int) -> None:
    """Configure the nodes one after the other, beginning with a different one each time."""
    for place in range(3):
        world.configure(WAYS[way], world.hosts[(turn + place) % 3])
        await asyncio.sleep(0.05 * (turn % 4))


async def test_with_a_router_between(tmp_path: Path) -> None:
    """The third node is in another rack. The router learns the routes by BGP before the nodes use them."""
    peers = [
        {"Address": "192.0.2.254", "ASNumber": 64600, "Nodes": ["node-1", "node-2"]},
        {"Address": "198.51.100.254", "ASNumber": 64600, "Nodes": ["node-3"]},
    ]
    ways = {way: WAYS[way] for way in ("vxlan", "direct", "udp")} | {"bgp": {"Type": "bgp", "Peers": peers}}
    async with make_world(tmp_path, racks=(1, 1, 2), linger=3.0) as world:
        world.stack.enter_context(stock_bird(world.router, tmp_path / "router", ROUTER_CONFIG))
        world.configure(ways["vxlan"])
        for host in world.hosts:
            add_pod(world, host)
        await world.start()
        a, _, c = world.hosts
        await until(lambda: all(len(host.seen.routes) == 2 for host in world.hosts))
        async with pinging((a, c), (c, a)) as pings:
            for turn, way in enumerate(("udp", "direct", "bgp", "vxlan", "bgp", "udp", "vxlan")):
                for host in world.hosts:
                    world.configure(ways[way], host)
                    await asyncio.sleep(0.05 * turn)
                links = LINKS.get(way, set())

                def done(links: set[str] = links) -> bool:
                    return all(host.seen.ours.keys() == links for host in world.hosts)

                await until(done, 40)
                for ping in pings:
                    await ping.answers()
                    assert not ping.lost, f"{ping.name}, to {way}: {ping.lost}"


OPTIONS: dict[str, dict[str, object]] = {
    "one": {"Type": "vxlan"},
    "seven": {"Type": "vxlan", "VNI": 7},
    "direct": {"Type": "vxlan", "VNI": 7, "DirectRouting": True},
    "narrow": {"Type": "vxlan", "MTU": 1440, "Learning": True},
}


async def test_vxlans_options_change_under_traffic(tmp_path: Path) -> None:
    """Another VNI, DirectRouting, another MTU, learning: no packet is lost."""
    async with make_world(tmp_path, linger=1.5) as world:
        world.configure(OPTIONS["one"])
        for host in world.hosts:
            add_pod(world, host)
        await world.start()
        await settled(world, "vxlan")
        a, b, c = world.hosts
        first = [await picture(host) for host in world.hosts]
        async with pinging((a, b), (b, a), (c, a)) as pings:
            for name in ("seven", "one", "direct", "narrow", "one"):
                options = OPTIONS[name]
                for host in world.hosts:
                    world.configure(options, host)
                    await pings[0].answers()
                link, mtu = f"flannel.{options.get('VNI', 1)}", options.get("MTU", 1450)
                way = "eth0" if "DirectRouting" in options else link

                def done(
                    link: str = link, mtu: object = mtu, way: str = way, options: Mapping[str, object] = options
                ) -> bool:
                    seen = [host.seen for host in world.hosts]
                    return all(
                        [v.vxlan and v.vxlan.learning for v in s.ours.values()] == [options.get("Learning", False)]
                        and s.ours.keys() == {link}
                        and s.ours[link].mtu == mtu
                        and {r.link for r in s.routes} == {way}
                        for s in seen
                    )

                await until(done, 30)
                for ping in pings:
                    await ping.answers()
                    assert not ping.lost, f"{ping.name}, to {name}: {ping.lost}"
        assert differences(first, [await picture(host) for host in world.hosts]) == []


async def test_with_the_usual_time_to_linger(tmp_path: Path) -> None:
    async with make_world(tmp_path, linger=FlannelOptions(node_name="").linger_seconds) as world:
        world.configure(WAYS["vxlan"])
        for host in world.hosts:
            add_pod(world, host)
        await world.start()
        await settled(world, "vxlan")
        a, b, c = world.hosts
        async with streaming(a, b), pinging((a, b), (b, a), (c, a)) as pings:
            await change(world, "udp", 1)
            await settled(world, "udp")
            for ping in pings:
                await ping.answers()
        assert [ping.lost for ping in pings] == [[], [], []]


async def test_from_each_to_each_other_under_traffic(tmp_path: Path) -> None:
    async with make_world(tmp_path, linger=1.5) as world:
        first, *steps = walk(list(WAYS))
        world.configure(WAYS[first])
        for host in world.hosts:
            add_pod(world, host)
        await world.start()
        await settled(world, first)
        a, b, c = world.hosts
        pictures = {first: [await picture(host) for host in world.hosts]}
        async with streaming(a, b), streaming(b, c), pinging((a, b), (b, a), (c, a)) as pings:
            for turn, way in enumerate(steps):
                await change(world, way, turn)
                await settled(world, way)
                now = [await picture(host) for host in world.hosts]
                assert differences(pictures.setdefault(way, now), now) == [], f"after {steps[turn - 1]}"
                assert set(now[0]["ports"]) == PORTS.get(way, set())
                for ping in pings:
                    await ping.answers()
                    assert not ping.lost, f"{ping.name}, {steps[turn - 1] if turn else first} to {way}: {ping.lost}"
