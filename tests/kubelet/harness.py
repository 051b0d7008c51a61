"""Runs a kubelet with a runtime and an API server in memory."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import Object
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.kubelet.api_source import NodePods
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.real_node import real_kubelet
from pybernetes.kubelet.runtime import Runtime
from pybernetes.kubelet.simulated.node import simulated_kubelet
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime

from .fake_api import FakeApi

NODE = "node-1"


class Events:
    """A `Recorder` that keeps the events."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str]] = []

    def event(self, obj: Object | ObjectReference, type_: str, reason: str, message: str, /) -> None:
        name = obj.name if isinstance(obj, ObjectReference) else obj.metadata.name
        self.seen.append((name, reason, message))

    def reasons(self, name: str) -> list[str]:
        return [reason for who, reason, _ in self.seen if who == name]


class Harness:
    """A running kubelet, its API server and its events."""

    def __init__(self, api: FakeApi, kubelet: Kubelet, events: Events) -> None:
        self.api, self.kubelet, self.events = api, kubelet, events

    def create(self, name: str, spec: dict[str, Any], **metadata: Any) -> str:
        path = f"/api/v1/namespaces/default/pods/{name}"
        spec = {"nodeName": NODE, "restartPolicy": "Always", "terminationGracePeriodSeconds": 2, **spec}
        self.api.put(path, {"metadata": {"uid": f"{name}-{uuid.uuid4().hex[:8]}", **metadata}, "spec": spec})
        return path

    def delete(self, path: str, grace: int = 2) -> None:
        pod = self.api.objects[path]
        meta = {
            **pod["metadata"],
            "deletionTimestamp": "2026-01-01T00:00:30Z",
            "deletionGracePeriodSeconds": grace,
        }
        self.api.put(path, {**pod, "metadata": meta})

    def status(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.objects[path].get("status", {})
        return found

    def condition(self, path: str, type_: str) -> str:
        return next((c["status"] for c in self.status(path).get("conditions", []) if c["type"] == type_), "")

    async def until(self, what: Callable[[], object], timeout: float = 30.0, *, every: float = 0.01) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not what():
            assert loop.time() < deadline, (self.events.seen, [o.get("status") for o in self.api.objects.values()])
            await asyncio.sleep(every)

    async def gone(self, path: str) -> None:
        await self.until(lambda: path not in self.api.objects)


def config(root: Path, **changes: Any) -> KubeletConfig:
    values: dict[str, Any] = {
        "node_name": NODE,
        "node_ips": ("10.213.0.1",),
        "root_dir": root / "kubelet",
        "pod_logs_dir": root / "log",
        "serve": False,
        "status_check_period": 1.0,
    }
    return KubeletConfig(**{**values, **changes})


Make = Callable[[Client, Informers, Events], Kubelet]


@asynccontextmanager
async def running(
    runtime: Runtime, settings: KubeletConfig, api: FakeApi | None = None, **options: Any
) -> AsyncGenerator[Harness, None]:
    """Run the kubelet of a real node."""

    def make(client: Client, informers: Informers, events: Events) -> Kubelet:
        return real_kubelet(settings, client, informers, runtime, events, **options)

    async with _run(make, api or FakeApi()) as harness:
        yield harness
    await runtime.close()


@asynccontextmanager
async def simulated(
    runtime: SimulatedRuntime, settings: KubeletConfig, api: FakeApi | None = None
) -> AsyncGenerator[Harness, None]:
    """Run the kubelet of a simulated node."""

    def make(client: Client, informers: Informers, events: Events) -> Kubelet:
        return simulated_kubelet(settings, client, runtime, events, NodePods(informers, NODE), clock=runtime.clock)

    async with _run(make, api or FakeApi()) as harness:
        yield harness


@asynccontextmanager
async def _run(make: Make, api: FakeApi) -> AsyncGenerator[Harness, None]:
    """Run a kubelet. At the end it is cancelled and does not stop its pods, as if it had been killed."""
    client, events = Client(api), Events()
    informers = Informers(client)
    kubelet = make(client, informers, events)
    tasks = [asyncio.create_task(informers.run()), asyncio.create_task(kubelet.run())]
    try:
        yield Harness(api, kubelet, events)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled() and task.exception() is not None:
                raise task.exception()  # type: ignore[misc]
