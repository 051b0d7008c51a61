"""A daemon in a separate process, which tests can kill; a folder is the board.

`python -m flannel.board_daemon <namespace> <number> <board> <own folder> <linger seconds>`
"""

import asyncio
import ipaddress
import json
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flannel.bgp_world import Board, BoardManager
from pybernetes.flannel.backends.bgp.actor import BirdActor
from pybernetes.flannel.backends.udp.actor import UdpActor
from pybernetes.flannel.daemon import Flanneld
from pybernetes.flannel.interface import Selection
from pybernetes.flannel.kernel.drift import KernelDrift
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.flannel.options import FlannelOptions
from pybernetes.flannel.rules import NftRules
from pybernetes.linux import inotify


def write(path: Path, content: str) -> None:
    """Write a file in one step."""
    fresh = path.with_suffix(".new")
    fresh.write_text(content)
    fresh.replace(path)


def to_text(lease: Lease) -> str:
    parts = [[str(f.subnet), str(f.public_ip), dict(f.data)] for f in lease.families]
    return json.dumps([lease.node, lease.backend, parts])


def from_text(text: str) -> Lease:
    node, backend, parts = json.loads(text)
    return Lease(node, backend, tuple(_part(*part) for part in parts))


def _part(subnet: str, public: str, data: dict[str, Any]) -> FamilyLease:
    return FamilyLease(ipaddress.ip_network(subnet), ipaddress.ip_address(public), data)


class FolderManager(BoardManager):
    """`<name>.config` and `<name>.lease` in a folder that all daemons watch."""

    def __init__(self, folder: Path, name: str, number: int) -> None:
        super().__init__(Board(), name, number)
        self._folder = folder
        self._texts: dict[str, str] = {}
        self._read()

    def _read(self) -> None:
        for path in self._folder.glob("*.lease"):
            text = path.read_text()
            if self._texts.get(path.stem) != text:
                self._texts[path.stem] = text
                self.board.leases[path.stem] = from_text(text)

    async def run(self, changed: Callable[[], None]) -> None:
        watcher = inotify.Watcher()
        try:
            watcher.add(self._folder, inotify.MOVED_TO)
            while True:
                self._read()
                changed()
                await watcher.wait()
        finally:
            watcher.close()

    def config(self) -> str:
        return (self._folder / f"{self.name}.config").read_text()

    async def announce(self, lease: Lease) -> None:
        if self.board.leases.get(self.name) != lease:
            write(self._folder / f"{self.name}.lease", to_text(lease))


async def main(space: str, number: str, board: str, own: str, linger: str) -> None:
    name = f"node-{number}"
    folder = Path(own)
    options = FlannelOptions(
        node_name=name,
        subnet_file=folder / "subnet.env",
        selection=Selection(names=("eth0",)),
        netns=space,
        linger_seconds=float(linger),
    )
    daemon = Flanneld(
        options,
        FolderManager(Path(board), name, int(number)),
        rules=NftRules(masquerade=True, forward=True, netns=space),
        drift=KernelDrift(space),
        actors=[BirdActor(folder / "bird", space), UdpActor(space)],
        rng=random.Random(int(number)),
    )
    task = asyncio.create_task(daemon.run(), name="flanneld")
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await asyncio.gather(task, return_exceptions=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
