"""A cluster of three nodes: how long `up` and `down` take, and what it uses when nothing happens.

The figures of others are from public sources, see DESIGN.md; they are for creating only, on machines of their own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench._processes import cpu_seconds, pids, rss_mb
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.registry import Registry

ROUNDS = 3
SETTLE_SECONDS, IDLE_SECONDS = 10.0, 20.0
_NAME = "bench"
_CLI = [sys.executable, "-m", "pybernetes.cli.main"]


def _timed(*args: str, kubeconfig: Path) -> float:
    """Seconds of one command."""
    begun = time.perf_counter()
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    done = subprocess.run([*_CLI, *args], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)}: {done.stdout}{done.stderr}")
    return time.perf_counter() - begun


def _idle_percent(layout: Layout) -> float:
    """CPU of all our processes while nothing happens, in percent of one core."""
    found = pids(layout).values()
    before, begun = sum(map(cpu_seconds, found)), time.perf_counter()
    time.sleep(IDLE_SECONDS)
    return (sum(map(cpu_seconds, found)) - before) / (time.perf_counter() - begun) * 100


def _at_rest(layout: Layout) -> list[dict[str, Any]]:
    time.sleep(SETTLE_SECONDS)
    idle = _idle_percent(layout)
    memory = {name: rss_mb(pid) for name, pid in pids(layout).items()}
    agents = [mb for name, mb in memory.items() if name.startswith("node-")]
    return [
        _row("control plane memory, idle", 120, memory["control-plane"], "MB", "k3s server", "512 to 1,400 MB"),
        _row("node agent memory, idle", 80, max(agents), "MB", "k3s agent", "256 MB"),
        _row("supervisor memory", None, memory["supervisor"], "MB"),
        _row("idle CPU, 3 nodes", 2, idle, "% of a core", "k3s", "5 %"),
    ]


def _row(
    figure: str, target: float | None, value: float, unit: str, alternative: str = "", alternative_value: str = ""
) -> dict[str, Any]:
    return {
        "figure": figure,
        "target": target,
        "value": round(value, 2),
        "unit": unit,
        "alternative": alternative,
        "alternative_value": alternative_value,
    }


def run() -> list[dict[str, Any]]:
    """Three times up and down; what the last one uses in between."""
    ups, downs, rows = [], [], []
    with tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        _timed("down", "--name", _NAME, kubeconfig=kubeconfig)
        try:
            for number in range(ROUNDS):
                ups.append(_timed("up", "--name", _NAME, "--nodes", "3", kubeconfig=kubeconfig))
                if number == ROUNDS - 1:
                    layout = Registry().layout(_NAME)
                    assert layout is not None
                    rows = _at_rest(layout)
                downs.append(_timed("down", "--name", _NAME, kubeconfig=kubeconfig))
        finally:
            _timed("down", "--name", _NAME, kubeconfig=kubeconfig)
    others = "k3d / kind / minikube, create only"
    return [
        _row("up, 3 nodes, to all Ready", 5, statistics.median(ups), "s", others, "12.6 / 14.2 / 21 s"),
        _row("down, 3 nodes", None, statistics.median(downs), "s"),
        *rows,
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
