"""CNI ADD: how long a pod's whole attachment takes, ours beside the stock plugins in the same run.

Ours is flannel + portmap + loopback; the stock chain is bridge (with host-local) + portmap + loopback. One
process per plugin, one after the other, from the start of the first to the end of the last, as a container
runtime runs them. Both on a bridge that exists, in namespaces of their own.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pybernetes.cni
from pybernetes.linux import netns

TARGET_MS = 40.0
ROUNDS = 25
STOCK = Path("/usr/lib/cni")
_PREFIX = f"pbb-cni-{os.getpid()}"


class Chain:
    """The plugins of one attachment, in order, as (executable, configuration)."""

    def __init__(self, bin_dir: Path, plugins: list[dict[str, Any]]) -> None:
        self.bin_dir = bin_dir
        self.plugins = plugins

    def run(self, command: str, pod: str) -> float:
        """Seconds for all plugins of a pod."""
        previous: dict[str, Any] | None = None
        started = time.perf_counter()
        for config in self.plugins if command == "ADD" else reversed(self.plugins):
            loopback = config["type"] == "loopback"
            sent = config if previous is None or loopback else {**config, "prevResult": previous}
            output = self._call(command, sent, pod, "lo" if loopback else "eth0")
            if output and not loopback:
                previous = json.loads(output)
        return time.perf_counter() - started

    def _call(self, command: str, config: dict[str, Any], pod: str, ifname: str) -> bytes:
        env = {
            "CNI_COMMAND": command,
            "CNI_CONTAINERID": pod,
            "CNI_NETNS": netns.path_of(pod),
            "CNI_IFNAME": ifname,
            "CNI_PATH": str(self.bin_dir),
            "PATH": os.environ["PATH"],
        }
        done = subprocess.run(
            [str(self.bin_dir / config["type"])], input=json.dumps(config).encode(), env=env, capture_output=True
        )
        if done.returncode:
            raise RuntimeError(f"{config['type']} {command}: {done.stdout.decode()}{done.stderr.decode()}")
        return done.stdout


def run() -> list[dict[str, Any]]:
    """The figure: p50 of ADD in milliseconds."""
    node = f"{_PREFIX}-node"
    netns.create(node)
    try:
        with tempfile.TemporaryDirectory() as directory:
            return netns.run_in(node, lambda: _measure(Path(directory)))
    finally:
        netns.delete(node)


def _measure(root: Path) -> list[dict[str, Any]]:
    bin_dir = root / "bin"
    pybernetes.cni.install(bin_dir)
    chains = {"ours": _ours(bin_dir, root)}
    if (STOCK / "bridge").exists():
        chains["stock"] = _stock(root)
    times: dict[str, list[float]] = {name: [] for name in chains}
    for turn in range(-2, ROUNDS):  # two rounds to warm up; turns alternate, so that both see the same load
        for name, chain in chains.items():
            pod = f"{_PREFIX}-{name}{turn + 2}"
            netns.create(pod)
            try:
                seconds = chain.run("ADD", pod)
                chain.run("DEL", pod)
            finally:
                netns.delete(pod)
            if turn >= 0:
                times[name].append(seconds * 1000)
    medians = {name: round(statistics.median(values), 1) for name, values in times.items()}
    return [
        {
            "figure": "CNI ADD of one pod, p50 (flannel+portmap+loopback)",
            "target": TARGET_MS,
            "value": medians["ours"],
            "unit": "ms",
            "alternative": "stock bridge+host-local+portmap+loopback",
            "alternative_value": medians.get("stock"),
        }
    ]


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
