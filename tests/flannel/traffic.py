"""Traffic between pods: echoes of every size, datagrams, and transfers with a checksum."""

from __future__ import annotations

import asyncio
import hashlib
import random
import socket
from concurrent.futures import ThreadPoolExecutor

from pybernetes.linux import netns

from .bgp_world import run_in
from .topology import Pod

_FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
#: Headers of an echo request.
ECHO = {4: 28, 6: 48}
_WAIT = 20.0


async def ping(pod: Pod, target: str, *options: str, version: int = 4) -> tuple[int, str]:
    return await run_in(pod.netns, "ping", f"-{version}", "-c1", "-W2", *options, target)


async def echoes(a: Pod, b: Pod, version: int) -> None:
    """Echoes that are small, as large as the MTU, one byte larger, and in fragments."""
    target, room = b.ips[version], min(a.mtu, b.mtu) - ECHO[version]
    for options in ((), ("-M", "do", "-s", str(room)), ("-s", "20000")):
        code, out = await ping(a, target, *options, version=version)
        assert code == 0, (options, out)
    code, out = await ping(a, target, "-M", "do", "-s", str(room + 1), "-W0.2", version=version)
    assert code != 0 and "message too long" in out.lower(), out


def listening(pod: Pod, kind: socket.SocketKind, version: int) -> socket.socket:
    """A socket at the pod's address; its port is the kernel's choice."""

    def make() -> socket.socket:
        made = socket.socket(_FAMILIES[version], kind)
        made.bind((pod.ips[version], 0))
        if kind is socket.SOCK_STREAM:
            made.listen(1)
        return made

    made = netns.run_in(pod.netns, make)
    made.settimeout(_WAIT)
    return made


def opened(space: str, kind: socket.SocketKind, version: int) -> socket.socket:
    made = netns.run_in(space, lambda: socket.socket(_FAMILIES[version], kind))
    made.settimeout(_WAIT)
    return made


def transfer(a: Pod, b: Pod, version: int, size: int) -> str:
    """Send many bytes over TCP and check that they arrive intact; returns the source address that the receiver saw."""
    data = random.Random(size).randbytes(1 << 20)
    with listening(b, socket.SOCK_STREAM, version) as server, ThreadPoolExecutor(1) as pool:

        def receive() -> tuple[str, str]:
            connection, peer = server.accept()
            digest = hashlib.sha1()
            with connection:
                connection.settimeout(_WAIT)
                while chunk := connection.recv(1 << 18):
                    digest.update(chunk)
            return digest.hexdigest(), peer[0]

        got = pool.submit(receive)
        digest = hashlib.sha1()
        with opened(a.netns, socket.SOCK_STREAM, version) as client:
            client.connect(server.getsockname())
            for _ in range(size >> 20):
                client.sendall(data)
                digest.update(data)
        seen, source = got.result(_WAIT)
    assert seen == digest.hexdigest()
    return source


def datagrams(a: Pod, b: Pod, version: int) -> str:
    """Datagrams in both directions, small and in fragments; returns the source address that the receiver saw."""
    with (
        listening(b, socket.SOCK_DGRAM, version) as server,
        opened(a.netns, socket.SOCK_DGRAM, version) as client,
    ):
        for size in (1, 1200, 9000):
            client.sendto(b"x" * size, server.getsockname())
            data, source = server.recvfrom(65535)
            server.sendto(data, source)
            assert client.recv(65535) == b"x" * size
    return str(source[0])


async def talk(a: Pod, b: Pod, version: int = 4, *, size: int = 32 << 20) -> None:
    """All of these; each pod sees the other's address as the source."""
    await echoes(a, b, version)
    assert await asyncio.to_thread(datagrams, a, b, version) == a.ips[version]
    assert await asyncio.to_thread(transfer, a, b, version, size) == a.ips[version]
