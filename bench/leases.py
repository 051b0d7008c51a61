"""Leases into the kernel: 1,000 that arrive at once, one that changes among them, 5,000, and the memory they take.

flanneld runs in a separate process. The time is measured from the moment when leases are written to it until the kernel
has reported the last change, so it includes reading the leases and waiting for more. For comparison, the same entries
are installed with `ip -batch` and `bridge -batch` from a finished list.
"""

from __future__ import annotations

import ipaddress
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench._node import NodeProcess, encode, network, subnet
from bench._nodes import run as command
from bench._nodes import wire
from bench._processes import rss_mb
from pybernetes.flannel.leases.lease import FamilyLease, Lease
from pybernetes.linux import addr, ipmsg, link, netns, rtnl
from pybernetes.linux.monitor import GROUPS
from pybernetes.linux.rtnl import Netlink

FIRST = 1000
#: The numbers of leases, in order, and of the single changes that follow each.
COUNTS = {FIRST: 25, 2000: 5, 5000: 5}
#: The leases share a few public addresses, so that the kernel's neighbour table does not overflow.
HOSTS = 100
_QUIET = 0.3
_PATIENCE = 60.0
_SO_RCVBUFFORCE = 33


class Ear:
    """Receives the kernel's events about neighbours, forwarding entries and routes in a namespace."""

    def __init__(self, space: str) -> None:
        kind = socket.SOCK_RAW | socket.SOCK_CLOEXEC
        self._socket = netns.run_in(space, lambda: socket.socket(socket.AF_NETLINK, kind, rtnl.NETLINK_ROUTE))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self._socket.bind((0, 0))
        for number in (*GROUPS["neigh"], *GROUPS["route"]):
            self._socket.setsockopt(rtnl.SOL_NETLINK, rtnl.NETLINK_ADD_MEMBERSHIP, number)

    def close(self) -> None:
        self._socket.close()

    def hear(self, changes: int = 0) -> float:
        """The time of the last of this many additions, or of the last one before a pause. Other events do not count."""
        last, end = 0.0, time.perf_counter() + _PATIENCE
        found = 0
        while not changes or found < changes:
            self._socket.settimeout(_QUIET if last and not changes else max(0.0, end - time.perf_counter()))
            try:
                messages = rtnl.parse_messages(self._socket.recv(rtnl.RECEIVE))
            except TimeoutError:
                if last and not changes:
                    return last
                raise RuntimeError(f"the kernel reported {found} changes, expected {changes or 'one'}") from None
            added = sum(map(_is_entry, messages))
            if added:
                found, last = found + added, time.perf_counter()
        return last


def _is_entry(message: rtnl.Message) -> bool:
    """Whether it is a route of ours, or a permanent neighbour or forwarding entry."""
    if message.type == ipmsg.RTM_NEWROUTE:
        return message.payload[5] == _PROTOCOL
    return message.type == ipmsg.RTM_NEWNEIGH and bool(int.from_bytes(message.payload[8:10], "little") & _PERMANENT)


_PROTOCOL, _PERMANENT = 70, 0x80


# -- leases ----------------------------------------------------------------------------------------------
def lease(backend: str, number: int, versions: Sequence[int], turn: int = 0) -> Lease:
    """The lease of node `number`, counted from 2; another `turn` has another public address."""
    host = 10 + (number + turn) % HOSTS
    public = {4: ipaddress.ip_address(f"198.18.0.{host}"), 6: ipaddress.ip_address(f"2001:db8::{host:x}")}
    data = {"VNI": 1, "VtepMAC": f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"} if backend == "vxlan" else {}
    parts = tuple(FamilyLease(subnet(version, number), public[version], data) for version in versions)
    return Lease(f"node-{number}", backend, parts)


def entries(backend: str, versions: Sequence[int]) -> int:
    """Kernel objects per lease."""
    return {"vxlan": 3, "host-gw": 1}[backend] * len(versions)


@contextmanager
def node(backend: str, versions: Sequence[int]) -> Iterator[tuple[NodeProcess, Ear]]:
    """A node with a running flanneld and no peers."""
    with wire("leases") as made, tempfile.TemporaryDirectory() as folder:
        space = made.nodes[0]
        with Netlink(space) as nl:
            addr.add(nl, link.link(nl, "eth0").index, "2001:db8::1/64")
        process, ear = NodeProcess(space, 1, network({"Type": backend}, *versions), Path(folder)), Ear(space)
        try:
            process.lease()
            time.sleep(_QUIET)
            yield process, ear
        finally:
            process.stop()
            ear.close()


@dataclass
class Found:
    """The results of flanneld, or of the tools."""

    burst: dict[int, float] = field(default_factory=dict)
    """Milliseconds until this many leases are installed, starting from the previous number; by number."""
    single: dict[int, float] = field(default_factory=dict)
    """Milliseconds of one change among this many leases."""
    memory: dict[int, float] = field(default_factory=dict)
    """Megabytes with this many leases."""


def programmed(backend: str, versions: Sequence[int]) -> Found:
    """Measure flanneld."""
    found = Found()
    per, known = entries(backend, versions), 0
    with node(backend, versions) as (process, ear):
        found.memory[0] = rss_mb(process.pid)
        for count, changes in COUNTS.items():
            lines = [encode(lease(backend, n, versions)) for n in range(known + 2, count + 2)]
            start = time.perf_counter()
            process.send(lines)
            found.burst[count] = (ear.hear(per * len(lines)) - start) * 1000
            known = count
            singles = []
            for turn in range(1, changes + 1):
                time.sleep(0.1 + count / 5000)  # a separate change, which does not follow another one directly
                line = encode(lease(backend, 7, versions, turn))
                start = time.perf_counter()
                process.send([line])
                singles.append(ear.hear(len(versions)) - start)
            found.single[count] = median(singles) * 1000
            found.memory[count] = rss_mb(process.pid)
    return found


# -- the same from a finished list -----------------------------------------------------------------------
def by_hand(backend: str, versions: Sequence[int]) -> Found:
    """Measure the tools, with the first number of leases and with a single one."""
    with wire("batch") as made, tempfile.TemporaryDirectory() as folder:
        space = made.nodes[0]
        with Netlink(space) as nl:
            addr.add(nl, link.link(nl, "eth0").index, "2001:db8::1/64")
        files = {"ip": "", "bridge": ""}
        for version in versions:
            if backend == "vxlan":
                _tunnel(space, version)
            for number in range(2, FIRST + 2):
                for tool, line in _lines(backend, lease(backend, number, versions).family(version)).items():
                    files[tool] += f"{line}\n"
        found = Found()
        found.burst[FIRST] = _batch(space, Path(folder), files) * 1000
        changed = {"ip": "", "bridge": ""}
        for version in versions:
            tool, line = list(_lines(backend, lease(backend, 7, versions, 1).family(version)).items())[-1]
            changed[tool] += line.replace("append", "replace").replace("add", "replace") + "\n"
        found.single[FIRST] = _batch(space, Path(folder), changed) * 1000
        return found


def _batch(space: str, folder: Path, files: Mapping[str, str]) -> float:
    """Seconds."""
    for tool, text in files.items():
        (folder / tool).write_text(text)
    start = time.perf_counter()
    for tool, text in files.items():
        if text:
            subprocess.run(netns.argv_in(space, [tool, "-batch", f"{folder}/{tool}"]), check=True)
    return time.perf_counter() - start


def _tunnel(space: str, version: int) -> None:
    local = {4: "198.18.0.1", 6: "2001:db8::1"}[version]
    words = f"ip link add hand{version} type vxlan id {version} dstport 8472 local {local} dev eth0 nolearning"
    command(space, *words.split())
    command(space, "ip", "link", "set", f"hand{version}", "up")


def _lines(backend: str, part: FamilyLease | None) -> dict[str, str]:
    assert part is not None
    if backend == "host-gw":
        return {"ip": f"route add {part.subnet} via {part.public_ip} dev eth0"}
    end, mac, device = part.subnet.network_address, part.data["VtepMAC"], f"hand{part.subnet.version}"
    return {
        "ip": f"route add {part.subnet} via {end} dev {device} onlink\n"
        f"neigh add {end} lladdr {mac} dev {device} nud permanent",
        "bridge": f"fdb append {mac} dev {device} dst {part.public_ip} self permanent",
    }


def run() -> list[dict[str, Any]]:
    """The figures."""
    rows: list[dict[str, Any]] = []
    for backend, versions in (("vxlan", (4,)), ("host-gw", (4,)), ("vxlan", (4, 6)), ("host-gw", (4, 6))):
        title = f"{backend}{', dual stack' if len(versions) == 2 else ''}"
        ours, hand = programmed(backend, versions), by_hand(backend, versions)
        rows += _rows(title, ours, hand)
    return rows


def _rows(title: str, ours: Found, hand: Found) -> list[dict[str, Any]]:
    def row(figure: str, value: float, unit: str, **more: Any) -> dict[str, Any]:
        return {"figure": f"{title}: {figure}", "value": value, "unit": unit, **more}

    def by_hand(value: float) -> dict[str, Any]:
        return {"alternative": "ip -batch, bridge -batch", "alternative_value": value}

    last = max(COUNTS)
    return [
        row(f"{FIRST:,} leases at once", ours.burst[FIRST], "ms", target=1000, **by_hand(hand.burst[FIRST])),
        row(f"one of {FIRST:,} changes", ours.single[FIRST], "ms", target=20, **by_hand(hand.single[FIRST])),
        *(row(f"one of {count:,} changes", ours.single[count], "ms") for count in COUNTS if count != FIRST),
        row(f"from 2,000 to {last:,} leases", ours.burst[last], "ms"),
        *(row(f"memory with {count:,} leases", ours.memory[count], "MB") for count in (0, *COUNTS)),
        *(
            row(f"memory per lease with {count:,}", (ours.memory[count] - ours.memory[0]) * 1000 / count, "KB")
            for count in COUNTS
        ),
    ]
