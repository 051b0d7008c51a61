"""The ipsec backend with real packets and a real charon: encryption, repair, switching."""

import asyncio
import ipaddress
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pybernetes.flannel.backends.ipsec.actor import CharonActor
from pybernetes.flannel.backends.ipsec.backend import DEFAULT_PROPOSAL
from pybernetes.flannel.backends.ipsec.charon import Charon, find
from pybernetes.flannel.backends.ipsec.vici import Value, connect
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.linux import netns
from vm.inside.nodes import POD, Board, Host, Pair, pair, until
from vm.inside.test_backends import SECRET, VXLAN, heard, lost, protocol

PSK = "a-secret-that-all-nodes-share-" * 4
IPSEC = {"Type": "ipsec", "PSK": PSK}
ENCAP = {"Type": "ipsec", "psk": PSK, "udpencap": True, "ESPProposal": "aes256-sha512-ecp256"}
ICMP, IP = 8, 20


def actor(host: Host) -> CharonActor:
    return next(found for found in host.daemon._actors if isinstance(found, CharonActor))


def secured(made: Pair) -> bool:
    return all(len(host.states) >= 2 for host in made.hosts)


async def reached(made: Pair) -> None:
    """Wait until pings are answered in both directions."""
    async with asyncio.timeout(30):
        while not (await made.a.ping(made.b) and await made.b.ping(made.a)):
            await asyncio.sleep(0.1)


def pods(frames: list[bytes]) -> list[bytes]:
    """The frames without those of the nodes: neighbour discovery and reachability probes."""
    return [f for f in frames if f[12:14] == b"\x08\x00" and not f.endswith(b"flannel")]


def kinds(frames: list[bytes]) -> set[int]:
    """The protocols of IPv4 packets, without key exchange."""
    return {protocol(f) for f in frames if protocol(f) and f[34:38] != b"\x01\xf4\x01\xf4"}


async def largest(host: Host, other: Host) -> int:
    """The size of the largest packet from pod to pod that is not fragmented."""
    low, high = 1200, 1500
    while low < high:
        middle = (low + high + 1) // 2
        if await host.ping(other, size=middle - ICMP - IP):
            low = middle
        else:
            high = middle - 1
    return low


@pytest.mark.parametrize(("config", "carrier", "mtu"), [(IPSEC, 50, 1423), (ENCAP, 17, 1399)], ids=["ESP", "in UDP"])
async def test_packets_travel_encrypted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, config: Mapping[str, Any], carrier: int, mtu: int
) -> None:
    async with pair(tmp_path, config, 4) as made:
        await made.settled("flannel-ipsec")
        await until(lambda: secured(made))
        frames = pods(await heard(made.a, made.b, "10.244.2.1"))
        assert kinds(frames) == {carrier}
        assert {s.encap for host in made.hosts for s in host.states} == {carrier == socket.IPPROTO_UDP}
        if carrier == socket.IPPROTO_UDP:
            assert {f[34:38] for f in frames} == {b"\x11\x94\x11\x94"}, "from port 4500 to port 4500"
        assert not any(SECRET in f or socket.inet_aton("10.244.2.1") in f for f in frames)
        assert await largest(made.a, made.b) == mtu
        longest = max(len(f) - 14 for f in await large_frames(made, mtu))
        print(f"{config.get('ESPProposal', DEFAULT_PROPOSAL)}: {mtu} bytes travel in {longest}")
        assert mtu < longest <= 1500
        await transferred(made)
        assert [host.manager.posted().families[0].data for host in made.hosts] == [{}, {}]
        assert all((host.folder / "charon").stat().st_mode & 0o777 == 0o700 for host in made.hosts)
        files = [path for host in made.hosts for path in (host.folder / "charon").iterdir() if path.is_file()]
        assert files and not any(PSK.encode() in path.read_bytes() for path in files)
    assert not [r.message for r in caplog.records if r.levelname == "WARNING" or PSK in r.getMessage()]


async def large_frames(made: Pair, mtu: int) -> list[bytes]:
    with made.b.capture() as ear:
        assert await made.a.ping(made.b, size=mtu - ICMP - IP)
        frames = []
        while True:
            try:
                frames.append(ear.recv(65536))
            except BlockingIOError:
                return frames


async def transferred(made: Pair, size: int = 1 << 20) -> None:
    """A stream from pod to pod arrives complete."""

    def listen() -> socket.socket:
        return socket.create_server((POD[4].format(2), 5000))

    got = bytearray()
    done = asyncio.Event()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            got.extend(data)
        writer.close()
        done.set()

    async with await asyncio.start_server(take, sock=netns.run_in(made.b.netns, listen)):
        client = netns.run_in(
            made.a.netns,
            lambda: socket.create_connection((POD[4].format(2), 5000), source_address=(POD[4].format(1), 0)),
        )
        sent = os.urandom(size)
        await asyncio.to_thread(client.sendall, sent)
        client.close()
        async with asyncio.timeout(60):
            await done.wait()
    assert bytes(got) == sent


async def test_damage_is_repaired(tmp_path: Path) -> None:
    async with pair(tmp_path, IPSEC, 4) as made:
        await made.settled("flannel-ipsec")
        await until(lambda: secured(made))
        policies, routes = made.a.policies, made.a.seen.routes
        assert len(policies) == 3
        for damage in (
            ("ip", "xfrm", "policy", "flush"),
            ("ip", "xfrm", "state", "flush"),
            ("ip", "link", "del", "flannel-ipsec"),
            ("ip", "route", "del", "10.244.2.0/24", "dev", "flannel-ipsec"),
            ("ip", "route", "del", "blackhole", "10.244.2.0/24", "metric", str(2**31)),
        ):
            code, out = await made.a.run(*damage)
            assert code == 0, out
            await until(lambda: made.a.policies == policies and made.a.seen.routes == routes)
            await reached(made)
        before = actor(made.a).charon.pid
        assert before is not None
        os.kill(before, signal.SIGKILL)
        assert await made.a.ping(made.b), "the states still exist"
        await until(lambda: actor(made.a).charon.pid not in (None, before))
        old = {s.spi for s in made.a.states}
        await until(lambda: len({s.spi for s in made.a.states} - old) == 2)
        await reached(made)


async def test_packets_pass_while_charon_and_flanneld_restart(tmp_path: Path) -> None:
    """The states of a charon that was killed, or that exited with flanneld, are used until another has made new ones.

    The responder has the new states before the initiator: packets of that moment are lost.
    """
    async with pair(tmp_path, IPSEC, 4) as made:
        await made.settled("flannel-ipsec")
        await until(lambda: secured(made))
        ping = await asyncio.create_subprocess_exec(
            *netns.argv_in(made.a.netns, ["ping", "-q", "-i", "0.01", POD[4].format(2)]), stdout=asyncio.subprocess.PIPE
        )
        old = {s.spi for s in made.a.states}
        os.kill(actor(made.a).charon.pid or 0, signal.SIGKILL)
        await until(lambda: len({s.spi for s in made.a.states} - old) >= 2)
        await until(lambda: len(made.a.states) == 2, 60)
        old = {s.spi for s in made.b.states}
        await actor(made.b).close()
        assert old <= {s.spi for s in made.b.states}
        made.b.daemon.request_pass()
        await until(lambda: len({s.spi for s in made.b.states} - old) >= 2)
        await until(lambda: all(len(host.states) == 2 for host in made.hosts), 60)
        ping.send_signal(signal.SIGINT)
        out = (await ping.communicate())[0].decode()
        print(*out.splitlines()[-2:])
        assert lost(out) < 100, "two starts must lose less than half a second each: " + out


async def test_nothing_is_sent_unencrypted(tmp_path: Path) -> None:
    """Not while there is no tunnel, nor when another program removes states, policies, route or interface."""
    async with pair(tmp_path, IPSEC, 4) as made:
        await made.settled("flannel-ipsec")
        await until(lambda: secured(made))
        for host in made.hosts:
            assert (await host.run("ip", "route", "add", "default", "dev", "eth0"))[0] == 0
        for damage in (
            "ip xfrm state flush",
            "ip xfrm policy flush",
            "ip link del flannel-ipsec",
            "ip route del 10.244.2.0/24",
        ):
            with made.b.capture() as ear:
                ping = asyncio.create_task(
                    made.a.run(
                        "ping", "-q", "-i", "0.01", "-c", "100", "-I", "10.244.1.1", "-p", "deadbeef", "10.244.2.1"
                    )
                )
                await asyncio.sleep(0.2)
                await made.a.run(*damage.split())
                await ping
                while True:
                    try:
                        assert SECRET not in ear.recv(65536), damage
                    except BlockingIOError:
                        break
            await reached(made)


async def test_a_node_with_another_secret_is_reported(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with pair(tmp_path, IPSEC, 4) as made:
        await made.settled("flannel-ipsec")
        await until(lambda: secured(made))
        made.configure({**IPSEC, "PSK": "x" * 96}, made.b)

        def reported() -> list[str]:
            return [r.getMessage() for r in caplog.records if "give both nodes the same Backend.PSK" in r.getMessage()]

        await until(lambda: len({text.split(":")[0] for text in reported()}) == 2, 60)
        assert {text.split(":")[0] for text in reported()} == {
            "no tunnel to node-1 (192.0.2.1)",
            "no tunnel to node-2 (192.0.2.2)",
        }
        assert not any(PSK in r.getMessage() or "x" * 96 in r.getMessage() for r in caplog.records)
        made.configure(IPSEC, made.b)
        await until(lambda: secured(made), 60)
        await reached(made)


async def test_a_peer_leaves(tmp_path: Path) -> None:
    async with pair(tmp_path, IPSEC, 4) as made:
        await made.settled("flannel-ipsec")
        await until(lambda: secured(made))
        board, made.b.manager._board = made.a.manager._board, Board()
        del board.leases["node-2"]
        board.notify()
        await until(lambda: not made.a.policies and not made.a.states and not made.a.seen.routes)
        async with connect(actor(made.a).charon.socket) as vici:
            assert await vici.stream("list-conns", "list-conn", {}) == []
            assert (await vici.call("get-shared")).get("keys") in ([], None)


async def test_go_flanneld_as_a_peer(tmp_path: Path) -> None:
    """A peer whose charon is configured as Go flanneld does it: other proposals, no names, separate policies."""
    async with pair(tmp_path, {"Type": "alloc"}, 4) as made:
        board, made.b.manager._board = made.b.manager._board, Board()
        board.leases.pop("node-2", None)
        subnet, address = ipaddress.ip_network("10.244.2.0/24"), ipaddress.ip_address("192.0.2.2")
        board.leases["node-9"] = Lease("node-9", "ipsec", (FamilyLease(subnet, address),))
        made.configure(IPSEC, made.a)
        program = find()
        assert program is not None

        async def load() -> None:
            async with connect(other.socket) as vici:
                for owner in ("192.0.2.2", "192.0.2.1"):
                    await vici.call("load-shared", {"type": "IKE", "data": PSK, "owners": [owner]})
                child: dict[str, Value] = {
                    "local_ts": ["10.244.2.0/24"],
                    "remote_ts": ["10.244.1.0/24"],
                    "esp_proposals": [DEFAULT_PROPOSAL],
                    "start_action": "start",
                    "close_action": "trap",
                    "dpd_action": "restart",
                    "mode": "tunnel",
                    "reqid": "11",
                    "rekey_time": "1h",
                    "policies": "no",
                }
                ends: dict[str, Value] = {"local_addrs": ["192.0.2.2"], "remote_addrs": ["192.0.2.1"], "version": "2"}
                auth: dict[str, Value] = {"local": {"auth": "psk"}, "remote": {"auth": "psk"}, "children": {"c": child}}
                more: dict[str, Value] = {"proposals": ["aes256-sha256-modp4096"], "keyingtries": "0", "encap": "no"}
                await vici.call("load-conn", {"of-the-original": {**ends, **auth, **more}})
            await asyncio.Event().wait()

        other = Charon(tmp_path / "other", made.b.netns, load)
        ends = ("tmpl src {0} dst {1} proto esp reqid 11 mode tunnel").format
        for direction, a, b in (("out", 2, 1), ("in", 1, 2), ("fwd", 1, 2)):
            policy = f"ip xfrm policy add src 10.244.{a}.0/24 dst 10.244.{b}.0/24 dir {direction} "
            code, out = await made.b.run(*(policy + ends(f"192.0.2.{a}", f"192.0.2.{b}")).split())
            assert code == 0, out
        await made.b.run("ip", "route", "add", "default", "dev", "eth0", "src", "10.244.2.1")
        other.start(program)
        try:
            await until(lambda: len(made.a.states) >= 2, 60)
            async with asyncio.timeout(30):
                while not await made.a.ping(made.b):
                    await asyncio.sleep(0.1)
        finally:
            await other.end(leave_states=False)


@pytest.mark.parametrize("version", [4, 6])
async def test_switching_loses_no_packet(tmp_path: Path, version: int) -> None:
    """One node after the other, from vxlan to ipsec and back; no object is left over."""
    names = {4: ("flannel.1", "flannel-ipsec"), 6: ("flannel-v6.1", "flannel-ipsec6")}[version]
    async with pair(tmp_path, VXLAN, version, linger=4) as made:
        await made.settled(names[0])
        assert await made.a.ping(made.b, version)
        target = POD[version].format(2)
        ping = await asyncio.create_subprocess_exec(
            *netns.argv_in(made.a.netns, ["ping", "-q", "-i", "0.01", target]), stdout=asyncio.subprocess.PIPE
        )
        for config, device in ((IPSEC, names[1]), (VXLAN, names[0])):
            for host in made.hosts:
                made.configure(config, host)
                await asyncio.sleep(1)
            await made.settled(device)
        await until(lambda: all(actor(host).charon.pid is None for host in made.hosts))
        ping.send_signal(signal.SIGINT)
        out = (await ping.communicate())[0].decode()
        print(*out.splitlines()[-2:])
        assert lost(out) <= 1, out
        for host in made.hosts:
            assert not (await host.run("ip", "xfrm", "state"))[1].strip()
            assert "tmpl" not in (await host.run("ip", "xfrm", "policy"))[1]
            assert {r.kind for r in host.seen.routes} == {"unicast"}


async def test_a_restart_during_a_change_recovers_the_old_backend_from_the_kernel(tmp_path: Path) -> None:
    """The new daemon knows no PSK and starts no charon, but accepts the peer's packets until the peer has switched."""
    async with pair(tmp_path, IPSEC, 4, linger=6) as made:
        await made.settled("flannel-ipsec")
        await until(lambda: secured(made))
        ping = await asyncio.create_subprocess_exec(
            *netns.argv_in(made.b.netns, ["ping", "-q", "-i", "0.01", POD[4].format(1)]), stdout=asyncio.subprocess.PIPE
        )
        policies = made.a.policies
        await made.a.end()
        made.configure(VXLAN)
        await until(lambda: made.b.manager.posted().backend == "vxlan")
        assert set(made.b.routes().values()) == {"flannel-ipsec"}
        made.a.start()
        await until(lambda: set(made.a.routes().values()) == {"flannel.1"})
        assert len(policies) == 3 and made.a.policies == policies
        await made.settled("flannel.1")
        ping.send_signal(signal.SIGINT)
        out = (await ping.communicate())[0].decode()
        print(*out.splitlines()[-2:])
        assert lost(out) <= 1, out
        for host in made.hosts:
            assert not (await host.run("ip", "xfrm", "state"))[1].strip()
            assert "tmpl" not in (await host.run("ip", "xfrm", "policy"))[1]
