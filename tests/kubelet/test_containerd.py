"""The whole kubelet with real containers."""

from pathlib import Path

import pytest

from pybernetes.kubelet.cri.runtime import CriRuntime

from .harness import config, running
from .node import BUSYBOX, Node

pytestmark = [pytest.mark.node, pytest.mark.slow]


async def test_pod_runs_and_ends(node: Node, tmp_path: Path) -> None:
    async with running(CriRuntime(node.socket), config(tmp_path, cgroup_root=node.cgroup_root)) as k:
        command = ["sh", "-c", "trap 'exit 0' TERM; echo hi; while :; do sleep 0.1; done"]
        path = k.create("web", {"containers": [{"name": "c", "image": BUSYBOX, "command": command}]})
        await k.until(lambda: k.condition(path, "Ready") == "True")
        status = k.status(path)
        assert status["phase"] == "Running"
        assert status["podIP"].startswith("10.213.0.")
        assert status["qosClass"] == "BestEffort"
        assert status["containerStatuses"][0]["containerID"].startswith("containerd://")
        assert k.events.reasons("web") == ["Pulled", "Created", "Started"]
        k.delete(path)
        await k.gone(path)
        assert await k.kubelet.runtime.list_pods() == {}
        assert not list((tmp_path / "kubelet" / "pods").iterdir())
        node_object = k.api.objects["/api/v1/nodes/node-1"]
        assert {c["type"]: c["status"] for c in node_object["status"]["conditions"]}["Ready"] == "True"
