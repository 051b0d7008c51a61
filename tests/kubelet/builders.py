"""Pods and runtime states for tests of the pure parts."""

from typing import Any

import msgspec

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.runtime import ContainerInfo, PodState, Sandbox

NOW = 1_800_000_000.0


def pod(spec: dict[str, Any] | None = None, **metadata: Any) -> Pod:
    """A pod with one container `c`, unless the specification says otherwise."""
    base = {"containers": [{"name": "c", "image": "busybox"}], "restartPolicy": "Always"}
    meta = {"name": "web", "namespace": "default", "uid": "u1", **metadata}
    return msgspec.convert({"metadata": meta, "spec": {**base, **(spec or {})}}, Pod)


def sandbox(**changes: Any) -> Sandbox:
    values: dict[str, Any] = {
        "id": "s1",
        "name": "web",
        "namespace": "default",
        "uid": "u1",
        "attempt": 0,
        "ready": True,
        "created_at": NOW - 100,
        "ips": ("10.0.0.5",),
    }
    return Sandbox(**{**values, **changes})


def info(name: str = "c", state: str = "running", **changes: Any) -> ContainerInfo:
    values: dict[str, Any] = {
        "id": f"{name}-{changes.get('attempt', 0)}",
        "sandbox_id": "s1",
        "name": name,
        "attempt": 0,
        "state": state,
        "image": "busybox",
        "image_id": "sha256:1",
        "created_at": NOW - 50,
        "started_at": NOW - 50,
        "finished_at": NOW - 1 if state == "exited" else 0.0,
    }
    return ContainerInfo(**{**values, **changes})


def state(*containers: ContainerInfo, box: Sandbox | None = None) -> PodState:
    """A pod's state in a ready sandbox, newest container first."""
    return PodState((box or sandbox(),), containers)
