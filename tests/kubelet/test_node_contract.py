"""The contract of the services that a node provides to its workers. Real and simulated nodes pass the same tests."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import ObjectMeta
from pybernetes.kubelet import names
from pybernetes.kubelet.cgroups import NoCgroups, PodCgroups
from pybernetes.kubelet.hooks import LifecycleHooks
from pybernetes.kubelet.images import ImagePuller
from pybernetes.kubelet.podspec import container_hash
from pybernetes.kubelet.probes.manager import ProbeManager
from pybernetes.kubelet.runtime import PodState
from pybernetes.kubelet.services import Cgroups, Hooks, ImageSource, Probes, Specs, Volumes
from pybernetes.kubelet.simulated.parts import AlwaysHealthy, AnyImage, NoHooks, SimulatedSpecs, SimulatedVolumes
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses
from pybernetes.kubelet.specs import PodSpecs
from pybernetes.kubelet.volumes.kinds import volume_plugins
from pybernetes.kubelet.volumes.manager import VolumeManager
from pybernetes.kubelet.volumes.plugin import Host
from pybernetes.linux import mount
from pybernetes.linux.cgroup import Cgroup

from .builders import NOW, FakeObjects, FakeTokens, pod, sandbox
from .harness import Events, config


@dataclass
class Parts:
    """The services of a node."""

    volumes: Volumes
    probes: Probes
    cgroups: Cgroups
    images: ImageSource
    specs: Specs
    hooks: Hooks
    runtime: SimulatedRuntime


def simulated_parts(root: Path, runtime: SimulatedRuntime) -> Parts:
    return Parts(SimulatedVolumes(), AlwaysHealthy(), NoCgroups(), AnyImage(), SimulatedSpecs(), NoHooks(), runtime)


def real_parts(root: Path, runtime: SimulatedRuntime) -> Parts:
    settings, objects = config(root), FakeObjects()
    host = Host(objects=objects, tokens=FakeTokens(), allocatable={}, clock=lambda: NOW)
    volumes = VolumeManager(settings, volume_plugins(host), lambda: NOW)
    cgroups = PodCgroups(cgroup_root())
    recorder = Events()
    probes = ProbeManager(
        runtime, recorder=recorder, clock=lambda: NOW, changed=lambda _: None, node_ip="127.0.0.1", spread=lambda: 0
    )
    specs = PodSpecs(
        settings, objects=objects, volumes=volumes, images=runtime, cgroups=cgroups, services=list, allocatable={}
    )
    images = ImagePuller(runtime, objects=objects, recorder=recorder, clock=lambda: NOW, max_pulls=1)
    return Parts(volumes, probes, cgroups, images, specs, LifecycleHooks(settings, runtime), runtime)


def cgroup_root() -> str:
    return f"/pbt-contract-{os.getpid()}"


Make = Callable[[Path, SimulatedRuntime], Parts]


@pytest.fixture(
    params=[
        pytest.param(simulated_parts, id="simulated"),
        pytest.param(real_parts, id="real", marks=pytest.mark.kernel),
    ]
)
async def parts(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Parts]:
    make: Make = request.param
    with no_cgroups_left():
        made = make(tmp_path, SimulatedRuntime(clock=lambda: NOW, address=addresses()))
        yield made
        made.probes.stop("u1")
        mount.unmount_all(tmp_path)


@contextmanager
def no_cgroups_left() -> Iterator[None]:
    yield
    for below in ("/kubepods/burstable", "/kubepods/besteffort", "/kubepods", ""):
        group = Cgroup(cgroup_root() + below)
        if group.exists():
            group.remove()


async def started(parts: Parts, of: Pod) -> PodState:
    """Start the pod's first container."""
    runtime, spec = parts.runtime, parts.specs.sandbox(of, 0)
    box = await runtime.run_sandbox(spec)
    state = await runtime.pod(of.metadata.uid)
    container = of.spec.containers[0]
    image = await parts.images.ensure(of, container)
    made = await parts.specs.container(of, container, "regular", 0, image, state)
    await runtime.start_container(await runtime.create_container(box, made, spec))
    return await runtime.pod(of.metadata.uid)


async def test_volumes_can_be_set_up_and_torn_down_more_than_once(parts: Parts) -> None:
    of = pod({"volumes": [{"name": "v", "emptyDir": {}}]})
    await parts.volumes.tear_down(of)
    for _ in range(2):
        await parts.volumes.set_up(of)
    assert parts.volumes.uids() <= {"u1"}
    for _ in range(2):
        await parts.volumes.tear_down(Pod(metadata=ObjectMeta(uid="u1")))
    assert parts.volumes.uids() == set()


async def test_cgroups_can_be_made_and_removed_more_than_once(parts: Parts) -> None:
    of = pod()
    parts.cgroups.remove("u1")
    for _ in range(2):
        parts.cgroups.create(of)
    assert parts.cgroups.parent(of) == parts.cgroups.parent(of)
    for _ in range(2):
        parts.cgroups.remove("u1")


async def test_specifications_contain_names_and_attempts(parts: Parts) -> None:
    of = pod(annotations={"a": "b"})
    made = parts.specs.sandbox(of, 3)
    assert (made.name, made.namespace, made.uid, made.attempt) == ("web", "default", "u1", 3)
    assert made.annotations == {"a": "b"}
    container = of.spec.containers[0]
    found = await parts.specs.container(of, container, "regular", 2, "sha256:1", PodState((sandbox(),), ()))
    assert (found.name, found.image, found.image_name, found.attempt) == ("c", "sha256:1", "busybox", 2)
    assert found.annotations[names.CONTAINER_HASH] == container_hash(container)


async def test_a_running_container_without_probes_is_ready(parts: Parts) -> None:
    of = pod()
    state = await started(parts, of)
    parts.probes.update(of, state)
    health = parts.probes.health(of, state)
    running = {state.containers[0].id}
    assert (set(health.started), set(health.ready), dict(health.unhealthy)) == (running, running, {})
    parts.runtime.finish(state.containers[0].id, 1)
    ended = await parts.runtime.pod("u1")
    parts.probes.update(of, ended)
    assert not parts.probes.health(of, ended).ready
    parts.probes.stop("u1")
    parts.probes.stop("u1")


async def test_a_container_becomes_ready_when_its_probes_pass(parts: Parts) -> None:
    check: dict[str, Any] = {"exec": {"command": ["true"]}, "periodSeconds": 1}
    probes = {"startupProbe": check, "readinessProbe": check, "livenessProbe": check}
    of = pod({"containers": [{"name": "c", "image": "busybox", **probes}]})
    state = await started(parts, of)
    parts.probes.update(of, state)
    async with asyncio.timeout(30):
        while not parts.probes.health(of, state).ready:
            await asyncio.sleep(0.01)
    assert parts.probes.health(of, state).started == {state.containers[0].id}
    parts.probes.stop("u1", keep_readiness=True)
    assert parts.probes.health(of, state).ready


async def test_images_and_hooks(parts: Parts) -> None:
    of = pod()
    container = of.spec.containers[0]
    assert await parts.images.ensure(of, container) == await parts.images.ensure(of, container) == "busybox"
    state = await started(parts, of)
    await parts.hooks.post_start(of, container, state.containers[0].id, "127.0.0.1")
    await parts.hooks.pre_stop(of, container, state.containers[0].id, "127.0.0.1", 1.0)
    assert parts.hooks.termination_message(state.containers[0]) == ""
