"""The ipip and wireguard backends with real packets: encapsulation, repair, switching."""

import asyncio
import re
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pybernetes.linux import netns
from pybernetes.linux.wireguard import Peer, Wireguard
from vm.inside.nodes import POD, Host, Pair, pair, until

IPIP = {"Type": "ipip"}
WIREGUARD = {"Type": "wireguard"}
AUTO = {"Type": "wireguard", "Mode": "auto", "PSK": "cHJlc2hhcmVkLWtleS1vZi0zMi1ieXRlcy1sb25nLi4=", "ListenPort": 4500}
VXLAN = {"Type": "vxlan"}
BETWEEN = 2.0
"""Seconds from one node's change, when both nodes know of it, to the other's: longer than the linger time."""
SECRET = b"\xde\xad\xbe\xef" * 4


async def heard(host: Host, other: Host, target: str) -> list[bytes]:
    """The frames on the other node's eth0 while five packets with a known content pass, without the nodes' probes."""
    with other.capture() as ear:
        code, out = await host.run("ping", "-c5", "-i", "0.05", "-W2", "-p", "deadbeef", target)
        assert code == 0, out
        frames = []
        while True:
            try:
                frames.append(ear.recv(65536))
            except BlockingIOError:
                return [frame for frame in frames if not is_probe(frame)]


def is_probe(frame: bytes) -> bool:
    """Whether it is a daemon's reachability probe; pods' echoes contain SECRET."""
    return (protocol(frame), int.from_bytes(frame[12:14], "big")) == (1, 0x0800) and SECRET not in frame


def lost(out: str) -> int:
    """The number of packets without an answer. One may have been in flight when ping was stopped."""
    found = re.search(r"(\d+) packets transmitted, (\d+) received", out)
    assert found, out
    return int(found[1]) - int(found[2])


def protocol(frame: bytes) -> int:
    """The protocol number of an IPv4 or IPv6 packet; 0 for other frames."""
    kind = int.from_bytes(frame[12:14], "big")
    return frame[23] if kind == 0x0800 else frame[20] if kind == 0x86DD else 0


async def unchanged(made: Pair) -> None:
    """Further passes change no kernel object."""
    before = [(dict(h.seen.ours), h.seen.routes, h.seen.addresses, set(h.wireguards)) for h in made.hosts]
    for host in made.hosts:
        host.daemon.request_pass()
    await asyncio.sleep(0.3)
    assert [(dict(h.seen.ours), h.seen.routes, h.seen.addresses, set(h.wireguards)) for h in made.hosts] == before


async def test_ipip(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with pair(tmp_path, IPIP, 4) as made:
        await made.settled("flannel.ipip")
        assert await made.a.ping(made.b, size=1480 - 28)
        assert not await made.a.ping(made.b, size=1480 - 27)
        wrapped = [f for f in await heard(made.a, made.b, "10.244.2.1") if SECRET in f]
        assert len(wrapped) == 10
        assert {protocol(frame) for frame in wrapped} == {socket.IPPROTO_IPIP}
        ends = {(socket.inet_ntoa(f[26:30]), socket.inet_ntoa(f[46:50])) for f in wrapped}
        assert ("192.0.2.1", "10.244.1.0") in ends or ("192.0.2.1", "10.244.1.1") in ends
        _, shown = await made.a.run("ip", "route", "show", "10.244.2.0/24")
        assert "via 192.0.2.2 dev flannel.ipip proto 70 onlink" in shown
        await unchanged(made)
        for damage in (
            ("ip", "link", "del", "flannel.ipip"),
            ("ip", "link", "set", "flannel.ipip", "down"),
            ("ip", "link", "set", "flannel.ipip", "mtu", "1300"),
            ("ip", "route", "del", "10.244.2.0/24"),
            ("ip", "addr", "del", "10.244.1.0/32", "dev", "flannel.ipip"),
        ):
            await repaired(made, damage)
        assert not [r.message for r in caplog.records if r.levelname == "WARNING"]


async def repaired(made: Pair, damage: tuple[str, ...]) -> None:
    before = made.a.seen
    code, out = await made.a.run(*damage)
    assert code == 0, out

    def right() -> bool:
        now = made.a.seen
        same = (
            now.routes == before.routes and now.addresses == before.addresses and now.ours.keys() == before.ours.keys()
        )
        return same and all(li.up and li.mtu == before.ours[name].mtu for name, li in now.ours.items())

    await until(right)
    assert await made.a.ping(made.b), damage


async def test_ipip_direct_routing(tmp_path: Path) -> None:
    async with pair(tmp_path, {**IPIP, "DirectRouting": True}, 4) as made:
        await until(lambda: all(set(h.routes().values()) == {"eth0"} for h in made.hosts))
        frames = [f for f in await heard(made.a, made.b, "10.244.2.1") if SECRET in f]
        assert {protocol(frame) for frame in frames} == {socket.IPPROTO_ICMP}


@pytest.mark.parametrize(
    ("config", "devices", "ports"),
    [(WIREGUARD, ("flannel-wg", "flannel-wg-v6"), {4: 51820, 6: 51821}), (AUTO, ("flannel-wg",), {4: 4500, 6: 4500})],
    ids=["separate", "auto with PSK"],
)
async def test_wireguard(
    tmp_path: Path, config: Mapping[str, Any], devices: tuple[str, ...], ports: dict[int, int]
) -> None:
    async with pair(tmp_path, config, 4, 6) as made:
        await made.settled(*devices)
        for version, overhead in ((4, 28), (6, 48)):
            assert await made.a.ping(made.b, version, size=1420 - overhead)
            target = {4: "10.244.2.1", 6: "fd00:244:0:2::1"}[version]
            frames = [f for f in await heard(made.a, made.b, target) if protocol(f) == socket.IPPROTO_UDP]
            outer = 14 + (20 if frames[0][12:14] == b"\x08\x00" else 40)
            data = [f for f in frames if int.from_bytes(f[outer + 2 : outer + 4], "big") == ports[version]]
            assert len(data) >= 10
            assert {f[outer + 8] for f in data} <= {1, 2, 4}, "handshake and transport messages"
            assert not any(SECRET in f or b"\x0a\xf4\x02\x01" in f[outer + 8 :] for f in frames)
        for node in made.hosts:
            assert (node.folder / "wgkey").stat().st_mode & 0o777 == 0o600
            posted = node.manager.posted()
            assert (
                posted.families[0].data
                == posted.families[1].data
                == {"PublicKey": node.wireguards["flannel-wg"].public_key}
            )
        await unchanged(made)


async def test_wireguard_is_repaired(tmp_path: Path) -> None:
    async with pair(tmp_path, WIREGUARD, 4, 6) as made:
        await made.settled("flannel-wg", "flannel-wg-v6")
        device = made.a.wireguards["flannel-wg"]
        (peer,) = device.peers
        for damage in (
            ("ip", "link", "del", "flannel-wg"),
            ("ip", "link", "set", "flannel-wg-v6", "down"),
            ("ip", "route", "del", "10.244.2.0/24"),
        ):
            await repaired(made, damage)
        with Wireguard(made.a.netns) as wg:
            breaks = {
                "peer removed": lambda: wg.remove_peers("flannel-wg", [peer.public_key]),
                "peer given other networks": lambda: wg.set_peers("flannel-wg", [Peer(peer.public_key, peer.endpoint)]),
                "unknown peer added": lambda: wg.set_peers("flannel-wg", [Peer(device.public_key[:-2] + "A=")]),
                "port changed": lambda: wg.configure("flannel-wg", listen_port=1234),
                "key changed": lambda: wg.configure(
                    "flannel-wg", private_key="QGhpcyBpcyBub3Qgb3VyIGtleSBidXQgYSBrZXkhISE="
                ),
            }
            for what, damage_it in breaks.items():
                damage_it()
                took = await until(lambda: _as_it_was(wg.device("flannel-wg"), device))
                print(f"{what}: repaired after {took:.2f} s")
                assert took < 3, what
                assert await made.a.ping(made.b), what


def _as_it_was(now: Any, before: Any) -> bool:
    return (now.private_key, now.listen_port) == (before.private_key, before.listen_port) and {
        (p.public_key, p.allowed) for p in now.peers
    } == {(p.public_key, p.allowed) for p in before.peers}


@pytest.mark.parametrize(
    ("version", "steps"),
    [
        (4, [(WIREGUARD, "flannel-wg"), (IPIP, "flannel.ipip"), (VXLAN, "flannel.1")]),
        (6, [(WIREGUARD, "flannel-wg-v6"), (VXLAN, "flannel-v6.1")]),
    ],
    ids=["IPv4", "IPv6"],
)
async def test_switching_loses_no_packet(
    tmp_path: Path, version: int, steps: list[tuple[Mapping[str, Any], str]]
) -> None:
    """One node after the other gets the new config, as in a rolling update.

    WireGuard queues packets for a peer that does not answer yet, so a switch that is too early shows as a delay first,
    and as a loss later. No packet may wait longer than the second node needs to switch.
    """
    async with pair(tmp_path, VXLAN, version) as made:
        await made.settled({4: "flannel.1", 6: "flannel-v6.1"}[version])
        assert await made.a.ping(made.b, version)
        target = POD[version].format(2)
        ping = await asyncio.create_subprocess_exec(
            *netns.argv_in(made.a.netns, ["ping", "-q", "-i", "0.01", target]), stdout=asyncio.subprocess.PIPE
        )
        for config, device in steps:
            for host in made.hosts:
                made.configure(config, host)
                await until(lambda device=device: all(device in h.seen.ours for h in made.hosts))  # type: ignore[misc]
                await asyncio.sleep(BETWEEN)
            await made.settled(device)
        ping.send_signal(signal.SIGINT)
        out = (await ping.communicate())[0].decode()
        assert lost(out) <= 1, out
        print(*out.splitlines()[-2:])
        longest = float(out.splitlines()[-1].split("/")[-2])
        assert longest < BETWEEN * 800, out


async def test_a_peer_that_answers_late_is_reached_by_the_old_backend(tmp_path: Path) -> None:
    """A firewall drops WireGuard's packets for longer than the linger time."""
    async with pair(tmp_path, VXLAN, 4) as made:
        await made.settled("flannel.1")
        neighbours, forwarding = made.a.seen.neighbours, made.a.seen.forwarding
        assert len(neighbours) == len(forwarding) == 1
        for host in made.hosts:
            for rule in (
                "add table inet pbt",
                "add chain inet pbt ear { type filter hook input priority 0; }",
                "add rule inet pbt ear udp dport 51820 drop",
            ):
                code, out = await host.run("nft", rule)
                assert code == 0, out
        ping = await asyncio.create_subprocess_exec(
            *netns.argv_in(made.a.netns, ["ping", "-q", "-i", "0.01", POD[4].format(2)]), stdout=asyncio.subprocess.PIPE
        )
        made.configure(WIREGUARD)
        await until(lambda: all("flannel-wg" in host.seen.ours for host in made.hosts))
        await asyncio.sleep(2 * BETWEEN)
        assert [set(host.routes().values()) for host in made.hosts] == [{"flannel.1"}] * 2
        assert (made.a.seen.neighbours, made.a.seen.forwarding) == (neighbours, forwarding)
        for host in made.hosts:
            assert (await host.run("nft", "delete table inet pbt"))[0] == 0
        await made.settled("flannel-wg")
        ping.send_signal(signal.SIGINT)
        out = (await ping.communicate())[0].decode()
        print(*out.splitlines()[-2:])
        assert lost(out) <= 1, out
