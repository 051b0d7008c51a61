"""Continuous traffic between pods: ping a hundred times a second, and a TCP transfer that checks each byte."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from flannel.bgp_world import Host, World, run_in
from pybernetes.linux import addr, link, netns, route
from pybernetes.linux.rtnl import Netlink

_SEQUENCE = re.compile(rb"icmp_seq=(\d+) ttl=")
#: An MTU that fits every backend, as in a cluster that may change its backend.
POD_MTU = 1450

#: Sends a stream whose bytes encode their position, until its standard input ends; then prints the length.
_SEND = """
import select, socket, sys, time
block = bytes(n % 251 for n in range(251 * 256))
s = socket.create_connection((sys.argv[1], 7000)); n = 0
while not select.select([sys.stdin], [], [], 0.01)[0]:
    s.sendall(block); n += len(block)
s.shutdown(socket.SHUT_WR); s.recv(1); print(n)
"""
_TAKE = """
import socket
s = socket.create_server(("", 7000)); print("ready", flush=True); c, _ = s.accept(); n = 0
ring = bytes(n % 251 for n in range(251)) * 300
while d := c.recv(1 << 16):
    at = n % 251
    assert d == ring[at:at + len(d)], f"wrong bytes at {n}"
    n += len(d)
c.sendall(b"."); print(n)
"""


def add_pod(world: World, host: Host) -> None:
    """A pod on the host's bridge, with the address .2 of its subnet."""
    space = f"{host.netns}p"
    world.space(space)
    peer = netns.open_fd(space)
    try:
        with Netlink(host.netns) as nl:
            bridge = link.link(nl, "cni0").index
            link.add_veth(nl, "pod", "eth0", peer_netns=peer, mtu=POD_MTU, master=bridge, up=True)
    finally:
        os.close(peer)
    with Netlink(space) as nl:
        link.set_up(nl, "lo")
        link.set_mtu(nl, "eth0", POD_MTU)
        link.set_up(nl, "eth0")
        addr.add(nl, link.link(nl, "eth0").index, f"10.244.{host.number}.2/24")
        route.add(nl, route.Route(route.DEFAULT4, gateway=f"10.244.{host.number}.1"))


class Ping:
    """A ping that runs until `end`."""

    def __init__(self, name: str, process: asyncio.subprocess.Process) -> None:
        self.name = name
        self._process = process
        self.answered: set[int] = set()
        self._reader = asyncio.create_task(self._read(), name=name)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if match := _SEQUENCE.search(line):
                self.answered.add(int(match[1]))

    @property
    def lost(self) -> list[int]:
        """Sequence numbers before the last answer that have no answer."""
        return sorted(set(range(1, max(self.answered, default=0) + 1)) - self.answered)

    async def answers(self, more: int = 20) -> None:
        """Wait for this many more answers."""
        last = max(self.answered, default=0)
        async with asyncio.timeout(30):
            while max(self.answered, default=0) < last + more:
                await asyncio.sleep(0.02)

    async def end(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        await self._process.wait()
        await self._reader


@asynccontextmanager
async def pinging(*pairs: tuple[Host, Host]) -> AsyncIterator[list[Ping]]:
    """Pings between the pods of these hosts, each pair in one direction; starts when each first ping is answered."""
    targets = [(f"{here.netns}p", f"10.244.{there.number}.2", f"{here.name} to {there.name}") for here, there in pairs]
    async with pinging_addresses(targets) as pings:
        yield pings


@asynccontextmanager
async def pinging_hosts(*pairs: tuple[Host, Host]) -> AsyncIterator[list[Ping]]:
    """Pings from a host to the gateway of the other host's pods."""
    targets = [(here.netns, f"10.244.{there.number}.1", f"{here.name} to {there.name}") for here, there in pairs]
    async with pinging_addresses(targets) as pings:
        yield pings


@asynccontextmanager
async def pinging_addresses(targets: Sequence[tuple[str, str, str]]) -> AsyncIterator[list[Ping]]:
    """`targets`: (namespace, address, name). Starts when each address has answered once."""
    pings = []
    for space, address, _ in targets:
        code, out = await run_in(space, "ping", "-c1", "-w", "20", "-i", "0.2", address)
        assert code == 0, out
    try:
        for space, address, name in targets:
            argv = netns.argv_in(space, ["ping", "-i", "0.01", "-W", "2", address])
            process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
            pings.append(Ping(name, process))
        yield pings
    finally:
        for ping in pings:
            await ping.end()


@asynccontextmanager
async def streaming(here: Host, there: Host) -> AsyncIterator[None]:
    """A TCP transfer from pod to pod; at the end every byte has arrived, in order."""

    async def python(host: Host, *argv: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        command = netns.argv_in(f"{host.netns}p", [sys.executable, "-c", *argv])
        return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)

    taker = await python(there, _TAKE)
    assert taker.stdout is not None
    await taker.stdout.readline()
    sender = await python(here, _SEND, f"10.244.{there.number}.2")
    try:
        yield
        async with asyncio.timeout(30):
            (sent, _), (taken, _) = await sender.communicate(b""), await taker.communicate()
        assert int(sent) == int(taken) > 1_000_000
    finally:
        for process in (sender, taker):
            if process.returncode is None:
                process.kill()
            await process.wait()
