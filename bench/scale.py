"""5,000 replicas on 1,000 simulated nodes: how long until all are available, and what the control plane used."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec

from bench._processes import cpu_seconds, pids, rss_mb
from pybernetes.api.apps.deployment import Deployment
from pybernetes.client import kubeconfig as client_config
from pybernetes.client.client import Client
from pybernetes.client.http import HttpTransport
from pybernetes.cluster.kubeconfig import component_path
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.registry import Registry

NODES, PODS = 1000, 5000
TARGET_SECONDS = 30.0
_NAME = "bench-scale"
_CLI = [sys.executable, "-m", "pybernetes.cli.main"]
_PATIENCE = 300.0

_DEPLOYMENT = {
    "metadata": {"name": "big", "namespace": "default"},
    "spec": {
        "replicas": PODS,
        "selector": {"matchLabels": {"app": "big"}},
        "template": {
            "metadata": {"labels": {"app": "big"}},
            "spec": {
                "nodeSelector": {"type": "simulated"},
                "containers": [
                    {"name": "c", "image": "registry.example/any:1", "resources": {"requests": {"cpu": "100m"}}}
                ],
            },
        },
    },
}


def _cli(*args: str, kubeconfig: Path) -> float:
    begun = time.perf_counter()
    env = {**os.environ, "KUBECONFIG": str(kubeconfig)}
    subprocess.run([*_CLI, *args], env=env, capture_output=True, check=True)
    return time.perf_counter() - begun


async def _deploy(layout: Layout) -> tuple[float, float]:
    """Seconds to available, and the longest that a small read took meanwhile."""
    client = Client(HttpTransport(client_config.load(component_path(layout, "admin"))))
    deployments, longest = client.of(Deployment), 0.0
    try:
        begun = time.perf_counter()
        await deployments.create(msgspec.convert(_DEPLOYMENT, Deployment))
        async with asyncio.timeout(_PATIENCE):
            while True:
                asked = time.perf_counter()
                found = await deployments.get("big", namespace="default")
                longest = max(longest, time.perf_counter() - asked)
                if found.status.available_replicas == PODS:
                    return time.perf_counter() - begun, longest
                await asyncio.sleep(0.05)
    finally:
        await client.close()


def _row(figure: str, target: float | None, value: float, unit: str) -> dict[str, Any]:
    return {
        "figure": figure,
        "target": target,
        "value": round(value, 2),
        "unit": unit,
        "alternative": "",
        "alternative_value": "",
    }


def run() -> list[dict[str, Any]]:
    """One cluster, one Deployment."""
    with tempfile.TemporaryDirectory() as directory:
        kubeconfig = Path(directory) / "kubeconfig"
        _cli("down", "--name", _NAME, kubeconfig=kubeconfig)
        try:
            simulated = ("--nodes", "1", "--simulated-nodes", str(NODES))
            up = _cli("up", "--name", _NAME, *simulated, kubeconfig=kubeconfig)
            layout = Registry().layout(_NAME)
            assert layout is not None
            plane = pids(layout)["control-plane"]
            before = cpu_seconds(plane)
            seconds, longest = asyncio.run(_deploy(layout))
            used, memory = cpu_seconds(plane) - before, rss_mb(plane)
        finally:
            _cli("down", "--name", _NAME, kubeconfig=kubeconfig)
    what = f"{PODS:,} replicas on {NODES:,} simulated nodes"
    return [
        _row(f"up, {NODES:,} simulated nodes", None, up, "s"),
        _row(f"{what}: available", TARGET_SECONDS, seconds, "s"),
        _row(f"{what}: CPU time of the control plane", None, used, "s"),
        _row(f"{what}: longest GET meanwhile", 2, longest, "s"),
        _row(f"{what}: control plane memory after", None, memory, "MB"),
    ]


if __name__ == "__main__":
    for row in run():
        print(row)
