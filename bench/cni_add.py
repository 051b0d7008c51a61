"""CNI: how long it takes to attach and to detach a pod, ours and the stock plugins in the same run.

Ours is flannel + portmap + loopback; the stock chain is bridge (with host-local) + portmap + loopback. One process per
plugin, one after the other, as a container runtime runs them: from the start of the first to the end of the last.
Both on a bridge that exists, in namespaces of their own. Turns alternate, so that both see the same load of the
machine; the processor time (user and system) hardly depends on it.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pybernetes.cni
from pybernetes.linux import netns

TARGET_MS = 40.0
ROUNDS, CROWDS, AT_A_TIME, ROW = 25, 4, 16, 110
STOCK = Path("/usr/lib/cni")
STOCK_CHAIN = "stock bridge+host-local+portmap+loopback"
_PREFIX = f"pbb-cni-{os.getpid()}"


class Chain:
    """The plugins of one attachment, in order, as configurations."""

    def __init__(self, bin_dir: Path, plugins: list[dict[str, Any]]) -> None:
        self.bin_dir = bin_dir
        self.plugins = plugins

    def run(self, command: str, pod: str) -> tuple[float, float]:
        """(milliseconds, of those on a processor) for all plugins of a pod."""
        previous: dict[str, Any] | None = None
        busy = 0.0
        started = time.perf_counter()
        for config in self.plugins if command == "ADD" else reversed(self.plugins):
            loopback = config["type"] == "loopback"
            sent = config if previous is None or loopback else {**config, "prevResult": previous}
            output, used = self._call(command, sent, pod, "lo" if loopback else "eth0")
            busy += used
            if output and not loopback:
                previous = json.loads(output)
        return (time.perf_counter() - started) * 1000, busy * 1000

    def _call(self, command: str, config: dict[str, Any], pod: str, ifname: str) -> tuple[bytes, float]:
        env = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod,
            "CNI_NETNS": netns.path_of(pod),
            "CNI_IFNAME": ifname,
            "CNI_PATH": str(self.bin_dir),
            "PATH": os.environ["PATH"],
        }
        path = str(self.bin_dir / config["type"])
        files = [os.memfd_create(name) for name in ("stdin", "stdout")]
        try:
            os.pwrite(files[0], json.dumps(config).encode(), 0)
            actions = [(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(files)]
            pid = os.posix_spawn(path, [path], env, file_actions=actions)
            _, status, used = os.wait4(pid, 0)
            output = os.pread(files[1], os.fstat(files[1]).st_size, 0)
        finally:
            for fd in files:
                os.close(fd)
        if status:
            raise RuntimeError(f"{config['type']} {command}: {output.decode()}")
        return output, used.ru_utime + used.ru_stime


def run() -> list[dict[str, Any]]:
    """The figures, in milliseconds."""
    with tempfile.TemporaryDirectory() as directory:
        return _on_a_node(lambda: _measure(Path(directory)))


def _on_a_node(work: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    node = f"{_PREFIX}-node"
    netns.create(node)
    try:
        return netns.run_in(node, work)
    finally:
        netns.delete(node)


def _measure(root: Path) -> list[dict[str, Any]]:
    bin_dir = root / "bin"
    pybernetes.cni.install(bin_dir)
    chains = {"ours": _ours(bin_dir, root)}
    if (STOCK / "bridge").exists():
        chains["stock"] = _stock(root)
    return [*_one_by_one(chains), *_crowd(chains), _row_of_pods(chains)]


def _one_by_one(chains: dict[str, Chain]) -> list[dict[str, Any]]:
    times: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for turn in range(-2, ROUNDS):  # two rounds to warm up
        for name, chain in chains.items():
            pod = f"{_PREFIX}-{name}{turn + 2}"
            netns.create(pod)
            try:
                for command in ("ADD", "DEL"):
                    taken = chain.run(command, pod)
                    if turn >= 0:
                        times.setdefault((name, command), []).append(taken)
            finally:
                netns.delete(pod)

    def median(command: str, which: int) -> dict[str, float]:
        return {name: statistics.median(t[which] for t in times[name, command]) for name in chains}

    return [
        _figure("CNI ADD of one pod, p50 (flannel+portmap+loopback)", median("ADD", 0), TARGET_MS),
        _figure("CNI ADD of one pod, processor time, p50", median("ADD", 1)),
        _figure("CNI DEL of one pod, p50", median("DEL", 0)),
        _figure("CNI DEL of one pod, processor time, p50", median("DEL", 1)),
    ]


def _crowd(chains: dict[str, Chain]) -> list[dict[str, Any]]:
    """Sixteen at once, again and again: each ADD's own time."""
    times: dict[str, list[float]] = {name: [] for name in chains}
    for turn in range(CROWDS):
        for name, chain in chains.items():
            pods = [f"{_PREFIX}-{name}-c{turn}-{number}" for number in range(AT_A_TIME)]
            times[name] += _together(chain, pods)
    rows = []
    for label, share in (("p50", 0.5), ("p99", 0.99)):
        values = {name: sorted(found)[int(share * (len(found) - 1))] for name, found in times.items()}
        rows.append(_figure(f"CNI ADD, {AT_A_TIME} pods at once, {label} of one", values))
    return rows


def _together(chain: Chain, pods: list[str]) -> list[float]:
    node = netns.path_of(f"{_PREFIX}-node")

    def attach(pod: str) -> float:
        with netns.enter(node):
            return chain.run("ADD", pod)[0]

    for pod in pods:
        netns.create(pod)
    try:
        with ThreadPoolExecutor(AT_A_TIME) as pool:
            return list(pool.map(attach, pods))
    finally:
        for pod in pods:
            chain.run("DEL", pod)
            netns.delete(pod)


def _row_of_pods(chains: dict[str, Chain]) -> dict[str, Any]:
    """A full node: pods are added one after another, and none is removed."""
    means = {}
    for name, chain in chains.items():
        pods = [f"{_PREFIX}-{name}-r{number}" for number in range(ROW)]
        for pod in pods:
            netns.create(pod)
        try:
            means[name] = sum(chain.run("ADD", pod)[0] for pod in pods) / ROW
        finally:
            for pod in pods:
                chain.run("DEL", pod)
                netns.delete(pod)
    return _figure(f"CNI ADD of {ROW} pods one after another, mean of one", means)


def _figure(figure: str, values: dict[str, float], target: float | None = None) -> dict[str, Any]:
    stock = values.get("stock")
    return {
        "figure": figure,
        "target": target,
        "value": round(values["ours"], 1),
        "unit": "ms",
        "alternative": STOCK_CHAIN,
        "alternative_value": None if stock is None else round(stock, 1),
    }


def _ours(bin_dir: Path, root: Path) -> Chain:
    env = "FLANNEL_NETWORK=172.20.0.0/16\nFLANNEL_SUBNET=172.20.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n"
    (root / "subnet.env").write_text(env)
    flannel = {
        "type": "flannel",
        "subnetFile": str(root / "subnet.env"),
        "dataDir": str(root / "flannel"),
        "ipam": {"dataDir": str(root / "networks")},
        "delegate": {"hairpinMode": True, "isDefaultGateway": True},
    }
    return Chain(bin_dir, _named(flannel, {"type": "portmap"}, {"type": "loopback"}))


def _stock(root: Path) -> Chain:
    bridge = {
        "type": "bridge",
        "bridge": "cni1",
        "hairpinMode": True,
        "isDefaultGateway": True,
        "mtu": 1450,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": "172.21.1.0/24"}]],
            "routes": [{"dst": "172.21.0.0/16"}],
            "dataDir": str(root / "stock-networks"),
        },
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return Chain(STOCK, _named(bridge, portmap, {"type": "loopback"}))


def _named(*plugins: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"cniVersion": "1.0.0", "name": "cbr0", **plugin} for plugin in plugins]


if __name__ == "__main__":
    for row in run():
        print(json.dumps(row))
