"""kubectl drain moves pods no faster than their disruption budget allows."""

from typing import Any

from e2e.conftest import Kubectl, eventually, hello, rolled


def budget(keep: int) -> dict[str, Any]:
    """A budget for the pods of `hello`."""
    spec = {"minAvailable": keep, "selector": {"matchLabels": {"app": "web"}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"}, "spec": spec}


def allowed(kubectl: Kubectl) -> int:
    """The number of evictions that are allowed now."""
    found = kubectl.json("get", "pdb", "web")
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]
    count: int = found["status"]["disruptionsAllowed"]
    return count


def test_a_drain_waits_for_the_budget(kubectl: Kubectl) -> None:
    kubectl.apply(hello(replicas=2, terminationGracePeriodSeconds=3), budget(2))
    rolled(kubectl)
    eventually(lambda: kubectl.json("get", "pdb", "web")["status"]["currentHealthy"] == 2, timeout=5)
    leaving = kubectl.json("get", "pods", "-l", "app=web")["items"][0]
    name, node = leaving["metadata"]["name"], leaving["spec"]["nodeName"]
    drain = ("drain", node, "--ignore-daemonsets", "--pod-selector=app=web")
    try:
        refused = kubectl.raw(*drain, "--timeout=5s")
        assert refused.returncode == 1
        assert "Cannot evict pod as it would violate the pod's disruption budget." in refused.stderr
        assert name in refused.stderr
        assert "deletionTimestamp" not in kubectl.json("get", "pod", name)["metadata"]

        kubectl.apply(budget(1))
        eventually(lambda: allowed(kubectl) == 1, timeout=5)
        assert f"pod/{name} evicted" in kubectl(*drain, "--timeout=20s")
        rolled(kubectl, timeout=20)
        pods = kubectl.json("get", "pods", "-l", "app=web")["items"]
        assert node not in {p["spec"]["nodeName"] for p in pods if "deletionTimestamp" not in p["metadata"]}
        eventually(lambda: allowed(kubectl) == 1, timeout=10, what="the budget allows an eviction again")
    finally:
        kubectl("uncordon", node)
