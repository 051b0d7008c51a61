"""The udp backend on three real daemons: packets cross, garbage does no harm, and damage is repaired."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import struct

import pytest

from pybernetes.linux import netns

from .steady_traffic import pinging_addresses
from .test_daemon import until
from .test_etcd_daemon import Cluster, Host, cluster

__all__ = ["cluster"]
pytestmark = [pytest.mark.kernel, pytest.mark.slow]


async def switched(cluster: Cluster, backend: str, routes: set[tuple[str, str]]) -> None:
    await asyncio.to_thread(cluster.configure, backend)
    for host in cluster.hosts:
        await until(lambda host=host: routes <= set(host.routes().items()))  # type: ignore[misc]
        await until(lambda host=host: host.daemon.ready)  # type: ignore[misc]


async def listening(host: Host, port: int) -> None:
    """Wait until a program listens on the port, by TCP or UDP."""
    async with asyncio.timeout(20):
        while not (await host.run("ss", "-Hlntu", "sport", "=", f":{port}"))[1].strip():
            await asyncio.sleep(0.02)


NETWORK = {("10.244.0.0/16", "flannel0")}


async def udp(cluster: Cluster) -> list[Host]:
    await switched(cluster, "udp", NETWORK)
    for host in cluster.hosts:
        await until(lambda host=host: len(host.routes()) == 1)  # type: ignore[misc]
    return cluster.hosts


async def test_packets_of_every_size_cross(cluster: Cluster) -> None:
    a, b, _ = await udp(cluster)
    assert await a.reaches(b)
    for size in ("0", "1444", "1445", "9000"):
        code, out = await a.run("ping", "-c2", "-i0.05", "-W1", "-s", size, "10.244.2.1")
        assert code == 0, out
    link = a.seen.links["flannel0"]
    assert (link.mtu, link.kind, link.up) == (1472, "tun", True)
    code, out = await a.run("ping", "-c1", "-W1", "-M", "do", "-s", "1445", "10.244.2.1")
    assert code != 0, "larger than the MTU, with don't-fragment set"


async def test_large_transfers_arrive_intact(cluster: Cluster) -> None:
    """TCP with offloads, in both directions at once, with a checksum at the end."""
    a, b, _ = await udp(cluster)
    receive = (
        "import socket,hashlib,sys;s=socket.create_server(('10.244.2.1',7000));c,_=s.accept();h=hashlib.md5();n=0\n"
    )
    receive += "c.sendall(b'y'*5_000_000)\nwhile d:=c.recv(1<<16): h.update(d);n+=len(d)\nprint(n,h.hexdigest())"
    send = "import socket,random,threading;s=socket.create_connection(('10.244.2.1',7000));n=0\n"
    send += "all=random.Random(1).randbytes(20_000_000)\n"
    send += "t=threading.Thread(target=lambda:(s.sendall(all),s.shutdown(1)));t.start()\n"
    send += "while d:=s.recv(1<<16): n+=len(d)\nprint(n)"
    server = asyncio.create_task(b.run("python3", "-c", receive))
    await listening(b, 7000)
    _, sent = await asyncio.wait_for(a.run("python3", "-c", send), 30)
    _, got = await server
    import hashlib

    assert sent.strip() == "5000000"
    assert got.split() == ["20000000", hashlib.md5(random.Random(1).randbytes(20_000_000)).hexdigest()]


async def test_a_pods_large_packets_pass_the_device_in_one_piece(cluster: Cluster) -> None:
    """The kernel divides forwarded packets if the TUN device accepts less than the sending device may send."""
    a, b, _ = await udp(cluster)
    name = f"{a.netns}-pod"
    netns.create(name)
    try:
        await _attach(a, name, "10.244.1.9")
        receive = "import socket;s=socket.create_server(('10.244.2.1',7001));c,_=s.accept();n=0\n"
        receive += "while d:=c.recv(1<<20): n+=len(d)\nprint(n)"
        server = asyncio.create_task(b.run("python3", "-c", receive))
        send = "import socket,time\nfor _ in range(200):\n try: s=socket.create_connection(('10.244.2.1',7001));break\n"
        send += " except OSError: time.sleep(0.05)\ns.sendall(bytes(30_000_000))"
        code, out = await a.run("nsenter", f"--net=/run/netns/{name}", "python3", "-c", send)
        assert code == 0, out
        assert (await server)[1].strip() == "30000000"
        _, shown = await a.run("ip", "-j", "-s", "link", "show", "flannel0")
        sent = json.loads(shown)[0]["stats64"]["tx"]
        assert sent["bytes"] / sent["packets"] > 2 * 1472, sent
    finally:
        netns.delete(name)


async def _attach(host: Host, name: str, address: str) -> None:
    """A pod on the node's bridge."""
    for command in (
        f"ip link add podport type veth peer name eth0 netns {name}",
        "ip link set podport master cni0 up",
        f"nsenter --net=/run/netns/{name} ip addr add {address}/24 dev eth0",
        f"nsenter --net=/run/netns/{name} ip link set eth0 mtu 1472 up",
        f"nsenter --net=/run/netns/{name} ip route add default via 10.244.{host.number}.1",
    ):
        code, out = await host.run(*command.split())
        assert code == 0, out


async def test_udp_datagrams_have_right_checksums(cluster: Cluster) -> None:
    a, b, _ = await udp(cluster)
    echo = "import socket;s=socket.socket(2,2);s.bind(('10.244.2.1',7001));d,p=s.recvfrom(65535);s.sendto(d,p)"
    ask = "import socket;s=socket.socket(2,2);s.settimeout(2);s.sendto(b'x'*5001,('10.244.2.1',7001))\n"
    ask += "print(len(s.recv(9999)))"
    server = asyncio.create_task(b.run("python3", "-c", echo))
    await listening(b, 7001)
    assert (await a.run("python3", "-c", ask))[1].strip() == "5001"
    await server


async def test_an_unknown_destination_is_answered_with_unreachable(cluster: Cluster) -> None:
    a, _, _ = await udp(cluster)
    ask = "import socket;s=socket.socket(2,2);s.setsockopt(0,11,1);s.settimeout(2)\n"
    ask += "s.connect(('10.244.99.1',7001));s.send(b'x')\n"
    ask += "try: s.recv(9)\nexcept OSError as e: print(e.errno)"
    assert (await a.run("python3", "-c", ask))[1].strip() == "101", "ENETUNREACH"


async def test_garbage_at_the_port_does_no_harm(cluster: Cluster) -> None:
    a, b, _ = await udp(cluster)
    rng = random.Random(3)
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40, 1, 0, 64, 6, 0, b"\x0a\xf4\x01\x01", b"\x0a\xf4\x02\x01")
    parts = [b"", b"\x45", b"\x60" + b"\0" * 39, header, header + b"\xff" * 20, header[:16] + b"\1\1\1\1" + b"\0" * 20]
    parts += [rng.randbytes(rng.randrange(1, 2000)) for _ in range(300)]
    parts += [bytes([0x45]) + rng.randbytes(rng.randrange(19, 1400)) for _ in range(300)]

    def shoot() -> None:
        with netns.enter(a.netns), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for part in parts:
                sock.sendto(part, ("192.0.2.2", 8285))

    await asyncio.to_thread(shoot)
    assert await a.reaches(b) and await b.reaches(a)


@pytest.mark.parametrize(
    "damage",
    [
        ("ip", "link", "del", "flannel0"),
        ("ip", "link", "set", "flannel0", "down"),
        ("ip", "route", "del", "10.244.0.0/16"),
        ("ip", "addr", "flush", "dev", "flannel0"),
        ("ip", "link", "set", "flannel0", "mtu", "1200"),
    ],
)
async def test_external_changes_are_repaired(cluster: Cluster, damage: tuple[str, ...]) -> None:
    a, b, _ = await udp(cluster)
    before = a.seen
    await a.run(*damage)

    def repaired() -> bool:
        now = a.seen
        device = now.links.get("flannel0")
        same = (now.routes, now.addresses) == (before.routes, before.addresses)
        return same and device is not None and device.up and device.mtu == 1472

    assert await until(repaired) < 1.5
    assert await a.reaches(b)


async def test_switching_to_udp_and_back_under_traffic(cluster: Cluster) -> None:
    a = cluster.hosts[0]
    async with pinging_addresses([(a.netns, "10.244.2.1", "ping")]) as (ping,):
        await ping.answers()
        await udp(cluster)
        await ping.answers()
        await switched(cluster, "host-gw", set())
        await cluster.settled("eth0")
        await udp(cluster)
        await switched(cluster, "vxlan", set())
        await cluster.settled("flannel.1")
        await ping.answers()
        assert not ping.lost
    for host in cluster.hosts:
        await until(lambda host=host: set(host.seen.ours) == {"flannel.1"})  # type: ignore[misc]
