"""A thousand simulated nodes and five thousand pods: all become available, and kubectl stays fast meanwhile."""

import json
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from .conftest import Cluster, Kubectl, own_cluster

NODES, PODS = 1000, 5000
PATIENCE = 240.0
#: For two cores, which the control plane, the simulated nodes and kubectl share.
TYPICAL, WORST = 2.0, 6.0


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One real node and a thousand simulated ones."""
    where = tmp_path_factory.mktemp("scale")
    with own_cluster("e2e-scale", where, "--nodes", "1", "--simulated-nodes", str(NODES)) as made:
        yield made


def _deployment() -> dict[str, Any]:
    labels = {"app": "big"}
    container = {"name": "c", "image": "registry.example/any:1", "resources": {"requests": {"cpu": "100m"}}}
    pod = {"nodeSelector": {"type": "simulated"}, "containers": [container]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "big"},
        "spec": {
            "replicas": PODS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


class _Clicker:
    """Runs kubectl commands one after the other and records the duration of each."""

    def __init__(self, kubectl: Kubectl) -> None:
        self._kubectl = kubectl
        self._stop = threading.Event()
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.failures: list[str] = []

    def _timed(self, what: str, *args: str) -> None:
        begun = time.monotonic()
        done = self._kubectl.raw(*args)
        self.seconds[what].append(time.monotonic() - begun)
        if done.returncode:
            self.failures.append(f"{what}: {done.stderr}")

    def _click(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            self._timed("get nodes", "get", "nodes")
            self._timed("get deploy", "get", "deploy")
            self._timed("create", "create", "configmap", f"made-{number}", "--from-literal=a=b")

    @contextmanager
    def clicking(self) -> Iterator[None]:
        thread = threading.Thread(target=self._click, name="clicker")
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()


def _count(kubectl: Kubectl) -> int:
    """The number of pods, without fetching them all."""
    page = json.loads(kubectl("get", "--raw", "/api/v1/namespaces/default/pods?limit=1"))
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount", 0))


def _until_available(kubectl: Kubectl, count: int) -> float:
    begun = time.monotonic()
    path = "jsonpath={.status.availableReplicas}"
    return _until(lambda: kubectl("get", "deploy", "big", "-o", path) == str(count), begun)


def _until(check: Callable[[], bool], begun: float) -> float:
    while not check():
        assert time.monotonic() - begun < PATIENCE, f"not within {PATIENCE:.0f} s"
        time.sleep(0.5)
    return time.monotonic() - begun


def test_thousand_nodes_are_ready_and_leave_real_ones_alone(big: Cluster) -> None:
    nodes = big.kubectl().json("get", "nodes")["items"]
    assert len(nodes) == NODES + 1
    ranges = {node["spec"]["podCIDR"] for node in nodes}
    assert len(ranges) == NODES + 1
    assert sum(node["metadata"]["labels"].get("type") == "simulated" for node in nodes) == NODES
    real = next(node for node in nodes if node["metadata"]["name"] == "node-1")
    assert real["spec"]["podCIDR"].startswith("10.244.")
    # There are no routes to simulated nodes.
    assert "10.128." not in big.in_node("node-1", "ip", "route")


def test_five_thousand_replicas_become_available(big: Cluster) -> None:
    kubectl, clicker = big.kubectl(), _Clicker(big.kubectl())
    with clicker.clicking():
        begun = time.monotonic()
        kubectl("apply", "-f", "-", stdin=json.dumps(_deployment()))
        _until_available(kubectl, PODS)
        seconds = time.monotonic() - begun
    print(f"\n{PODS} replicas on {NODES} simulated nodes: available after {seconds:.1f} s; kubectl meanwhile:")
    for what, each in clicker.seconds.items():
        print(f"  {what}: median {statistics.median(each):.2f} s, longest {max(each):.2f} s, {len(each)} times")
    assert not clicker.failures
    for what, each in clicker.seconds.items():
        assert statistics.median(each) < TYPICAL, f"{what}: {each}"
        assert max(each) < WORST, f"{what}: {each}"


def test_pods_are_spread_and_can_be_scaled_away(big: Cluster) -> None:
    kubectl = big.kubectl()
    pods = kubectl.json("get", "pods", "-l", "app=big")["items"]
    used: dict[str, int] = defaultdict(int)
    for pod in pods:
        used[pod["spec"]["nodeName"]] += 1
    assert len(used) == NODES
    assert max(used.values()) <= 10
    assert len({pod["status"]["podIP"] for pod in pods}) == PODS
    begun = time.monotonic()
    kubectl("scale", "deploy", "big", "--replicas=10")
    _until(lambda: _count(kubectl) == 10, begun)
    print(f"\nscaled from {PODS} to 10 in {time.monotonic() - begun:.1f} s")
