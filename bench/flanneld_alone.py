"""flanneld alone with an etcd: how long --help and the way to readiness take, and what it uses while nothing happens.

CPU time is that of the daemon and of the tools that it calls, over half a minute without any event. The rules in
iptables are looked at every five seconds, those in nftables too, since `--iptables-resync` says so.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench._processes import rss_mb
from pybernetes.linux import addr, link, netns
from pybernetes.linux.rtnl import Netlink

_PYBERNETES = str(Path(sys.executable).with_name("pybernetes"))
_ETCD, _HEALTH = "http://127.0.0.1:2379", "http://127.0.0.1:10300/readyz"
_SETTLE, _IDLE, _PATIENCE = 3.0, 30.0, 30.0


@contextmanager
def node() -> Iterator[str]:
    """A namespace with an interface."""
    name = f"pbt-{uuid.uuid4().hex[:8]}"
    netns.create(name)
    try:
        with Netlink(name) as nl:
            link.set_up(nl, "lo")
            eth0 = link.add_veth(nl, "eth0", "far", up=True)
            link.set_up(nl, "far")
            addr.add(nl, eth0.index, "192.0.2.1/24")
        yield name
    finally:
        netns.delete(name)


@contextmanager
def process(space: str, *argv: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process there, until the context ends."""
    made = netns.popen_in(space, argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield made
    finally:
        made.send_signal(signal.SIGTERM)
        made.wait()


def wait(what: str, true: Any) -> float:
    """Until it is so; the seconds that it took."""
    begun = time.perf_counter()
    while not true():
        if time.perf_counter() - begun > _PATIENCE:
            raise RuntimeError(f"{what} did not come within {_PATIENCE:.0f} s")
        time.sleep(0.005)
    return time.perf_counter() - begun


def answers(url: str) -> bool:
    """Whether it answers with 200; called inside the namespace."""
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def cpu_seconds(pid: int) -> float:
    """Of the process and of those that it called and that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def configure(space: str, *, nftables: bool) -> None:
    """The network config, in etcd."""
    text = json.dumps({"Network": "10.7.0.0/16", "EnableNFTables": nftables, "Backend": {"Type": "vxlan"}})
    argv = netns.argv_in(space, ["etcdctl", f"--endpoints={_ETCD}", "put", "/coreos.com/network/config", text])
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "ETCDCTL_API": "3"})


def measure(folder: Path, *, nftables: bool) -> tuple[float, float, float]:
    """Seconds to readiness, MB, and percent of a core."""
    mode = "nft" if nftables else "iptables"
    with node() as space, process(space, "etcd", f"--data-dir={folder / mode}"):
        wait("etcd", lambda: netns.run_in(space, lambda: answers(f"{_ETCD}/health")))
        configure(space, nftables=nftables)
        flags = (f"--etcd-endpoints={_ETCD}", "--iface=eth0", "--ip-masq", "--healthz-port=10300")
        with process(space, _PYBERNETES, "flanneld", *flags, f"--subnet-file={folder / mode}.env") as flanneld:
            seconds = wait("readiness", lambda: netns.run_in(space, lambda: answers(_HEALTH)))
            time.sleep(_SETTLE)
            before = cpu_seconds(flanneld.pid)
            time.sleep(_IDLE)
            share = (cpu_seconds(flanneld.pid) - before) / _IDLE * 100
            return seconds, rss_mb(flanneld.pid), share


def help_seconds() -> float:
    """Of `flanneld --help`; the middle of five."""
    taken = []
    for _ in range(5):
        begun = time.perf_counter()
        subprocess.run([_PYBERNETES, "flanneld", "--help"], check=True, stdout=subprocess.DEVNULL)
        taken.append(time.perf_counter() - begun)
    return median(taken)


def run() -> list[dict[str, Any]]:
    """The figures; see above."""
    if shutil.which("etcd") is None:
        raise RuntimeError("etcd is not installed")
    rows: list[dict[str, Any]] = [{"figure": "flanneld --help", "value": help_seconds() * 1000, "unit": "ms"}]
    with tempfile.TemporaryDirectory(prefix="pbt-") as folder:
        for nftables in (True, False):
            seconds, memory, share = measure(Path(folder), nftables=nftables)
            mode = "nftables" if nftables else "iptables"
            rows += [
                {"figure": f"flanneld alone, start to ready ({mode})", "value": seconds * 1000, "unit": "ms"},
                {"figure": f"flanneld alone, memory ({mode})", "target": 80, "value": memory, "unit": "MB"},
                {"figure": f"flanneld alone, idle CPU ({mode})", "target": 2, "value": share, "unit": "% of a core"},
            ]
    return rows
