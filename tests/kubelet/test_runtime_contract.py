"""The contract of a container runtime. The simulated runtime and containerd pass the same tests."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.names import CONTAINER_NAME, POD_NAME, POD_NAMESPACE, POD_UID
from pybernetes.kubelet.runtime import ContainerSpec, NoSuch, Runtime, RuntimeFailure, SandboxSpec
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses

from .node import BUSYBOX, Node


@dataclass
class Subject:
    """A runtime under test."""

    runtime: Runtime
    image: str
    log_root: str
    cgroup_root: str

    def sandbox(self, attempt: int = 0) -> SandboxSpec:
        uid = uuid.uuid4().hex
        labels = {POD_UID: uid, POD_NAME: "web", POD_NAMESPACE: "default"}
        return SandboxSpec(
            name="web",
            namespace="default",
            uid=uid,
            attempt=attempt,
            hostname="web",
            labels=labels,
            log_directory=f"{self.log_root}/default_web_{uid}",
            cgroup_parent=self.cgroup_root + f"/kubepods/pod{uid}" if self.cgroup_root else "",
        )

    def container(self, sandbox: SandboxSpec, script: str = "sleep 1000", attempt: int = 0) -> ContainerSpec:
        return ContainerSpec(
            name="c",
            image=self.image,
            attempt=attempt,
            command=("sh", "-c", script),
            labels={**sandbox.labels, CONTAINER_NAME: "c"},
            annotations={"x": "y"},
            log_path=f"c/{attempt}.log",
        )

    async def end(self, container_id: str, code: int) -> None:
        if isinstance(self.runtime, SimulatedRuntime):
            self.runtime.finish(container_id, code)


@pytest.fixture(params=["simulated", pytest.param("cri", marks=[pytest.mark.node, pytest.mark.slow])])
async def subject(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Subject]:
    if request.param == "simulated":
        runtime: Runtime = SimulatedRuntime(clock=time.time, address=addresses())
        yield Subject(runtime, "busybox", "/nowhere", "")
        return
    node: Node = request.getfixturevalue("node")
    runtime = CriRuntime(node.socket)
    image = await runtime.image(BUSYBOX)
    assert image is not None
    yield Subject(runtime, image.id, str(tmp_path_factory.mktemp("log")), node.cgroup_root)
    await runtime.close()


async def test_version_and_status(subject: Subject) -> None:
    version, status = await subject.runtime.version(), await subject.runtime.status()
    assert version.name in ("simulated", "containerd")
    assert version.version
    assert status.ready
    assert status.network_ready


async def test_lifecycle_of_a_pod(subject: Subject) -> None:
    runtime, spec = subject.runtime, subject.sandbox()
    before = time.time() - 1
    sandbox = await runtime.run_sandbox(spec)
    container = await runtime.create_container(sandbox, subject.container(spec), spec)
    made = await runtime.pod(spec.uid)
    assert made.sandbox is not None
    assert made.sandbox.ready
    assert made.sandbox.ips
    assert [c.state for c in made.containers] == ["created"]
    await runtime.start_container(container)
    info = (await runtime.pod(spec.uid)).containers[0]
    assert (info.id, info.name, info.sandbox_id, info.state) == (container, "c", sandbox, "running")
    assert info.started_at > before
    assert info.annotations["x"] == "y"
    assert (await runtime.exec_sync(container, ("true",), 5)).exit_code == 0
    await runtime.stop_container(container, 0)
    ended = (await runtime.pod(spec.uid)).containers[0]
    assert (ended.state, ended.exit_code, ended.reason) == ("exited", 137, "Error")
    assert ended.finished_at >= ended.started_at
    await runtime.stop_sandbox(sandbox)
    stopped = (await runtime.pod(spec.uid)).sandbox
    assert stopped is not None
    assert not stopped.ready
    await runtime.remove_sandbox(sandbox)
    assert spec.uid not in await runtime.list_pods()


async def test_exit_of_a_container_is_an_event(subject: Subject) -> None:
    runtime, spec = subject.runtime, subject.sandbox()
    sandbox = await runtime.run_sandbox(spec)
    container = await runtime.create_container(sandbox, subject.container(spec, "sleep 0.2; exit 3"), spec)
    async with aclosing(runtime.events()) as events:
        assert await anext(events) == "", "the first event asks to synchronize everything"
        await runtime.start_container(container)
        await subject.end(container, 3)
        async with asyncio.timeout(5):
            while await anext(events) != spec.uid:
                pass
    found = (await runtime.pod(spec.uid)).containers[0]
    assert (found.state, found.exit_code) == ("exited", 3)


async def test_newest_container_comes_first(subject: Subject) -> None:
    runtime, spec = subject.runtime, subject.sandbox()
    sandbox = await runtime.run_sandbox(spec)
    for attempt in range(2):
        container = await runtime.create_container(sandbox, subject.container(spec, attempt=attempt), spec)
        await runtime.start_container(container)
        await runtime.stop_container(container, 0)
    state = await runtime.pod(spec.uid)
    assert [c.attempt for c in state.containers] == [1, 0]
    await runtime.remove_container(state.containers[1].id)
    assert [c.attempt for c in (await runtime.pod(spec.uid)).containers] == [1]


async def test_stopping_and_removing_what_does_not_exist_has_no_effect(subject: Subject) -> None:
    runtime = subject.runtime
    await runtime.stop_container("0" * 64, 0)
    await runtime.remove_container("0" * 64)
    await runtime.stop_sandbox("0" * 64)
    await runtime.remove_sandbox("0" * 64)
    assert await runtime.pod("unknown") == await runtime.pod("also unknown")


async def test_starting_what_does_not_exist_is_an_error(subject: Subject) -> None:
    with pytest.raises(NoSuch):
        await subject.runtime.start_container("0" * 64)
    with pytest.raises(RuntimeFailure):
        spec = subject.sandbox()
        await subject.runtime.create_container("0" * 64, subject.container(spec), spec)


async def test_images(subject: Subject) -> None:
    found = await subject.runtime.image(subject.image)
    assert found is not None
    assert found.id == subject.image
