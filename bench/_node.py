"""flanneld of one node in a separate process: it reads and writes leases as lines of JSON.

A lease without families takes back the node's former one. The process ends with its input.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pybernetes.cli.run import run_until_signal
from pybernetes.flannel.config import IPAddress, NetworkConfig
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.leases.manager import Offer, OwnSubnets
from pybernetes.flannel.masquerade import Wanted
from pybernetes.flannel.options import FlannelOptions

ROOT = Path(__file__).resolve().parent.parent


def subnet(version: int, number: int) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The pods' addresses on a node; there is room for 32,000 nodes."""
    if version == 4:
        return ipaddress.IPv4Network(((10 << 24 | 128 << 16) + number * 256, 24))
    return ipaddress.IPv6Network(((0xFD00_0244 << 96) + (number << 64), 64))


def network(backend: Mapping[str, Any], *versions: int) -> str:
    """The network config for some families."""
    document = {"Network": "10.128.0.0/9", "IPv6Network": "fd00:244::/32", "Backend": dict(backend)}
    return json.dumps({**document, "EnableIPv4": 4 in versions, "EnableIPv6": 6 in versions})


def encode(lease: Lease) -> bytes:
    """A lease as a line."""
    parts = [{"subnet": str(f.subnet), "ip": str(f.public_ip), "data": dict(f.data)} for f in lease.families]
    return json.dumps({"node": lease.node, "backend": lease.backend, "families": parts}).encode() + b"\n"


def decode(line: bytes) -> Lease:
    """The lease of a line."""
    raw = json.loads(line)
    parts = [
        FamilyLease(ipaddress.ip_network(f["subnet"]), ipaddress.ip_address(f["ip"]), f["data"])
        for f in raw["families"]
    ]
    return Lease(raw["node"], raw["backend"], tuple(parts))


class PipedManager:
    """A subnet manager that exchanges leases with the parent process."""

    def __init__(self, number: int, text: str) -> None:
        self._number = number
        self._text = text
        self._leases: dict[str, Lease] = {}
        self._told: Lease | None = None
        self.ended = asyncio.Event()

    def describe(self) -> str:
        return f"pipe of node {self._number}"

    async def run(self, changed: Callable[[], None]) -> None:
        lines = asyncio.StreamReader(limit=1 << 20)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
        while line := await lines.readline():
            lease = decode(line)
            if lease.families:
                self._leases[lease.node] = lease
            else:
                self._leases.pop(lease.node, None)
            changed()
        self.ended.set()
        await asyncio.Event().wait()

    async def synced(self) -> None:
        return

    def config(self) -> str:
        return self._text

    def versions(self, config: NetworkConfig) -> Sequence[int]:
        return [family.version for family in config.families]

    def announced_data(self, config: NetworkConfig, public: Mapping[int, IPAddress]) -> Mapping[int, Mapping[str, Any]]:
        return {}

    async def acquire(self, config: NetworkConfig, offer: Offer) -> OwnSubnets:
        return OwnSubnets(f"node-{self._number}", {v: subnet(v, self._number) for v in self.versions(config)})

    async def announce(self, lease: Lease) -> None:
        if lease != self._told:
            self._told = lease
            sys.stdout.buffer.write(encode(lease))
            sys.stdout.buffer.flush()

    def leases(self, config: NetworkConfig) -> tuple[list[Lease], list[str]]:
        return list(self._leases.values()), []


class NoRules:
    """No rules: the alternative has none either."""

    async def ensure(self, wanted: Wanted) -> list[str]:
        return []


class NodeProcess:
    """The process, as seen from outside. It is ready when its own lease is there, and ends at `stop`."""

    def __init__(self, space: str, number: int, text: str, folder: Path) -> None:
        self.subnet_file = folder / "subnet.env"
        command = [sys.executable, "-m", "bench._node", space, str(number), text, str(self.subnet_file)]
        self._log = folder / "log"
        with self._log.open("wb") as log:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=log)
        self.pid = self._process.pid

    def lease(self) -> bytes:
        """The next line with its own lease; waits for it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise self._failure()
        return line

    def send(self, lines: Iterable[bytes]) -> None:
        """Send it leases of other nodes."""
        assert self._process.stdin is not None
        self._process.stdin.write(b"".join(lines))
        self._process.stdin.flush()

    def mtu(self) -> int:
        """Wait for the MTU that it reports for pods."""
        end = time.monotonic() + 60
        while not self.subnet_file.exists():
            if self._process.poll() is not None or time.monotonic() > end:
                raise self._failure()
            time.sleep(0.02)
        values = dict(line.split("=", 1) for line in self.subnet_file.read_text().split())
        return int(values["FLANNEL_MTU"])

    def _failure(self) -> RuntimeError:
        return RuntimeError(f"flanneld came to nothing: {self._log.read_text()[-2000:]}")

    def stop(self) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


async def _main(space: str, number: int, text: str, subnet_file: Path) -> None:
    options = FlannelOptions(
        node_name=f"node-{number}", subnet_file=subnet_file, selection=Selection(names=("eth0",)), netns=space
    )
    manager = PipedManager(number, text)
    daemon = Flanneld(options, manager, rules=NoRules(), drift=KernelDrift(space), rng=random.Random(number))
    task = asyncio.create_task(daemon.run(), name="flanneld")
    ended = asyncio.create_task(manager.ended.wait(), name="end of input")
    await asyncio.wait([task, ended], return_when=asyncio.FIRST_COMPLETED)
    if not ended.done():
        await task
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


if __name__ == "__main__":
    _work = _main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
    run_until_signal(_work, "info")  # as the command does
