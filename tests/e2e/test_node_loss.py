"""A node stops its heartbeats: it becomes NotReady, its pods are replaced, and cleaned up when it returns."""

from collections.abc import Iterator
from typing import Any

import pytest

from e2e.conftest import Cluster, Kubectl, all_ready, eventually, hello, own_cluster, rolled, shell_pod
from pybernetes.cluster.supervise import set_wanted

LOST = "node-3"
UNREACHABLE = "node.kubernetes.io/unreachable"
#: The lease is renewed every 10 s, so a shorter period would give false alarms on a busy machine.
GRACE = "14s"


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster with a short grace period for nodes."""
    where = tmp_path_factory.mktemp("loss")
    with own_cluster("e2e-loss", where, "--node-monitor-grace-period", GRACE) as made:
        yield made


def tolerating(seconds: int) -> list[dict[str, Any]]:
    """Tolerations that keep a pod for some seconds on an unreachable node."""
    keys = (UNREACHABLE, "node.kubernetes.io/not-ready")
    return [{"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds} for key in keys]


def pods_on(kubectl: Kubectl, node: str) -> dict[str, dict[str, Any]]:
    """The pods bound to a node, by name."""
    items = kubectl.json("get", "pods", "--field-selector", f"spec.nodeName={node}")["items"]
    return {item["metadata"]["name"]: item for item in items}


def processes_of_pods(cluster: Cluster, node: str) -> int:
    """The number of containers in the node's containerd, including sandboxes."""
    socket = str(cluster.layout.node(node).containerd_socket)
    return len(cluster.in_node(node, "ctr", "-a", socket, "-n", "k8s.io", "tasks", "ls", "-q").split())


def test_a_silent_node_is_emptied_and_comes_back_clean(mine: Cluster) -> None:
    kubectl = mine.kubectl()
    daemons = hello("everywhere")
    daemons["kind"] = "DaemonSet"
    del daemons["spec"]["replicas"]
    kubectl.apply(hello(replicas=6, tolerations=tolerating(2)), daemons)
    kubectl.apply(shell_pod("patient", LOST, tolerations=tolerating(3600)))
    rolled(kubectl)
    kubectl("rollout", "status", "daemonset/everywhere", "--timeout=60s")
    kubectl.wait("pod/patient")
    before = pods_on(kubectl, LOST)
    leaving = {name for name in before if name.startswith("web-")}
    assert leaving, "no replica was on the node"
    set_wanted(mine.layout, {f"node-{LOST}"}, False)

    eventually(lambda: all_ready(mine, 2), timeout=35, what="NotReady after the grace period")
    node = kubectl.json("get", "node", LOST)
    ready = next(c for c in node["status"]["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("Unknown", "NodeStatusUnknown")
    taints = eventually(
        lambda: len(found := kubectl.json("get", "node", LOST)["spec"].get("taints", [])) == 2 and found,
        timeout=12,
        what="both taints",
    )
    assert {(t["key"], t["effect"]) for t in taints} == {(UNREACHABLE, "NoSchedule"), (UNREACHABLE, "NoExecute")}
    rolled(kubectl)
    eventually(lambda: replaced(kubectl, leaving), timeout=20, what="six replicas elsewhere")
    there = pods_on(kubectl, LOST)
    assert all("deletionTimestamp" in there[name]["metadata"] for name in leaving)
    stays = [name for name in there if name == "patient" or name.startswith("everywhere-")]
    assert len(stays) == 2 and not any("deletionTimestamp" in there[name]["metadata"] for name in stays)
    assert {c["status"] for name in stays for c in there[name]["status"]["conditions"] if c["type"] == "Ready"} == {
        "False"
    }

    set_wanted(mine.layout, {f"node-{LOST}"}, True)
    eventually(lambda: all_ready(mine), timeout=20, what="Ready again")
    eventually(lambda: not kubectl.json("get", "node", LOST)["spec"].get("taints"), timeout=10, what="no taints")
    eventually(lambda: leaving.isdisjoint(pods_on(kubectl, LOST)), timeout=30, what="the old pods are gone")
    for name in stays:
        kubectl.wait(f"pod/{name}", timeout=20)
        (now,) = kubectl.json("get", "pod", name)["status"]["containerStatuses"]
        (was,) = before[name]["status"]["containerStatuses"]
        assert (now["containerID"], now["restartCount"]) == (was["containerID"], was["restartCount"])
    eventually(
        lambda: processes_of_pods(mine, LOST) == 2 * len(pods_on(kubectl, LOST)),
        timeout=20,
        what="no container is left",
    )


def replaced(kubectl: Kubectl, leaving: set[str]) -> bool:
    """Whether six other replicas are ready on the other nodes."""
    items = kubectl.json("get", "pods", "-l", "app=web")["items"]
    good = [
        item
        for item in items
        if item["metadata"]["name"] not in leaving
        and any(c["type"] == "Ready" and c["status"] == "True" for c in item["status"]["conditions"])
    ]
    return len(good) == 6 and all(item["spec"]["nodeName"] != LOST for item in good)
