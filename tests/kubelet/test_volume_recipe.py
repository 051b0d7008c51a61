"""Performs docs/extending/volume.md: adds a kind of volume to a kubelet from outside."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from pybernetes.kubelet.runtime import ContainerSpec, SandboxSpec
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses
from pybernetes.kubelet.volumes.kinds import volume_plugins

from .fake_api import FakeApi
from .harness import Harness, config, running

PAGE = Path(__file__).parents[2] / "docs" / "extending" / "volume.md"
SECRET = "/api/v1/namespaces/default/secrets/key"
DRIVER = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case $1 in
  mount) echo "$3" > "$2/options";;
  unmount) test ! -e "$2/options" || rm "$2/options";;
esac
"""


class RecordingRuntime(SimulatedRuntime):
    """Keeps the specifications of containers."""

    def __init__(self) -> None:
        super().__init__(clock=time.time, address=addresses())
        self.specs: list[ContainerSpec] = []

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str:
        self.specs.append(spec)
        return await super().create_container(sandbox_id, spec, sandbox)


def flex_volume() -> Any:
    """The plugin in the page's example."""
    code = re.search(r"```python\n(import asyncio.*?)```", PAGE.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(compile(code[1], str(PAGE), "exec"), names)
    return names["FlexVolume"]


@asynccontextmanager
async def node(root: Path, api: FakeApi, runtime: RecordingRuntime, **options: Any) -> AsyncIterator[Harness]:
    settings = config(root, cgroups_per_qos=False)
    async with running(runtime, settings, api, **options) as k:
        yield k


def create(k: Harness) -> str:
    source = {"driver": "example.com/disk", "options": {"size": "1"}, "secretRef": {"name": "key"}}
    spec = {
        "containers": [{"name": "c", "image": "busybox", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}],
        "volumes": [{"name": "v", "flexVolume": source}],
    }
    return k.create("web", spec)


@pytest.fixture
def drivers(tmp_path: Path) -> Path:
    driver = tmp_path / "drivers" / "example.com~disk"
    driver.parent.mkdir()
    driver.write_text(DRIVER)
    driver.chmod(0o755)
    return driver.parent


async def test_without_the_plugin_the_pod_gets_an_event(tmp_path: Path) -> None:
    async with node(tmp_path, FakeApi(), RecordingRuntime()) as k:
        path = create(k)
        await k.until(lambda: "FailedMount" in k.events.reasons("web"))
        message = next(m for _, reason, m in k.events.seen if reason == "FailedMount")
        assert message == (
            "Unable to attach or mount volumes: unmounted volumes=[v], unattached volumes=[], failed to process "
            'volumes=[v]: failed to get Plugin from volumeSpec for volume "v" err=no volume plugin matched'
        )
        assert k.status(path)["phase"] == "Pending"
        k.delete(path)
        await k.gone(path)


async def test_the_recipe(tmp_path: Path, drivers: Path) -> None:
    plugin, api, runtime = flex_volume(), FakeApi(), RecordingRuntime()

    def plugins(host: Any) -> Any:
        return (*volume_plugins(host), plugin(host, drivers))

    api.put(SECRET, {"data": {"password": "b25l"}})
    async with node(tmp_path, api, runtime, plugins=plugins) as k:
        path = create(k)
        await k.until(lambda: k.condition(path, "Ready") == "True")
        mount = runtime.specs[0].mounts[0]
        assert (mount.container_path, mount.read_only) == ("/v", False)
        options = Path(mount.host_path, "options")
        assert options.parent.parts[-2:] == ("kubernetes.io~flex-volume", "v")
        assert '"password": "one"' in await asyncio.to_thread(options.read_text)
        api.put(SECRET, {"data": {"password": "dHdv"}})
        await k.until(lambda: '"password": "two"' in options.read_text())
    async with node(tmp_path, api, runtime, plugins=plugins) as k:
        api.remove(path)
        k.create("other", {"containers": [{"name": "c", "image": "busybox"}]})
        await k.until(lambda: not options.parent.exists())
    calls = await asyncio.to_thread((drivers / "calls").read_text)
    assert calls.splitlines()[-1] == f"unmount {options.parent}"
