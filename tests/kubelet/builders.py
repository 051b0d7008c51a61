"""Makes pods, runtime states, API objects and tokens for tests."""

import base64
from typing import Any

import msgspec

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import ServiceAccountTokenProjection
from pybernetes.api.meta import Status
from pybernetes.client.errors import NotFound
from pybernetes.kubelet.api_objects import K
from pybernetes.kubelet.runtime import ContainerInfo, PodState, Sandbox
from pybernetes.kubelet.volumes.plugin import Token

NOW = 1_800_000_000.0


def pod(spec: dict[str, Any] | None = None, **metadata: Any) -> Pod:
    """A pod with one container `c`, unless `spec` has other containers."""
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
    """A pod's state, by default with a ready sandbox; the newest container comes first."""
    return PodState((box or sandbox(),), containers)


class FakeObjects:
    """API objects by name; every name is a ConfigMap and a Secret with the same data."""

    def __init__(self, **data: dict[str, bytes]) -> None:
        self.data = data

    async def get(self, type_: type[K], namespace: str, name: str) -> K:
        if name not in self.data:
            raise NotFound(Status(code=404, message="not found"))
        encoded = {key: base64.b64encode(value).decode() for key, value in self.data[name].items()}
        field = "binaryData" if issubclass(type_, ConfigMap) else "data"
        return msgspec.convert({"metadata": {"name": name, "namespace": namespace}, field: encoded}, type_)


class FakeTokens:
    """Provides the same token until `renew_at` changes."""

    def __init__(self, renew_at: float = NOW + 100) -> None:
        self.renew_at = renew_at
        self.current = Token("token-1", renew_at)

    async def token(self, pod: Pod, projection: ServiceAccountTokenProjection) -> Token:
        if self.current.renew_at != self.renew_at:
            self.current = Token("token-2", self.renew_at)
        return self.current
