"""Static pods and their mirror pods."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pybernetes.client.client import Client
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses
from pybernetes.kubelet.static_pods import ManifestError, StaticPods, manifest_pod

from .fake_api import FakeApi
from .harness import Harness, config, simulated

MANIFEST = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: b}]}\n"
MIRROR = "/api/v1/namespaces/default/pods/web-node-1"


@asynccontextmanager
async def static_node(root: Path, api: FakeApi) -> AsyncIterator[Harness]:
    """A simulated node with static pods."""
    settings = config(root, capacity={"cpu": "1"}, static_pod_path=root / "manifests")
    runtime = SimulatedRuntime(clock=time.time, address=addresses())
    async with simulated(runtime, settings, api) as k:
        kubelet: Kubelet = k.kubelet
        static = StaticPods(settings, Client(api), kubelet.pods, kubelet.registry)
        task = asyncio.create_task(static.run())
        try:
            yield k
        finally:
            task.cancel()
            await asyncio.wait([task])


async def test_static_pod_follows_its_manifest(tmp_path: Path) -> None:
    manifest = tmp_path / "manifests" / "web.yaml"
    async with static_node(tmp_path, FakeApi()) as k:
        await k.until(manifest.parent.exists)
        (manifest.parent / "broken.yaml").write_text("{")
        manifest.write_text(MANIFEST)
        await k.until(lambda: MIRROR in k.api.objects and k.condition(MIRROR, "Ready") == "True")
        mirror = k.api.objects[MIRROR]["metadata"]
        assert mirror["annotations"]["kubernetes.io/config.source"] == "file"
        assert mirror["ownerReferences"][0]["kind"] == "Node"
        k.api.remove(MIRROR)
        await k.until(lambda: MIRROR in k.api.objects)
        assert len(await k.kubelet.runtime.list_pods()) == 1
        manifest.unlink()
        await k.gone(MIRROR)
        async with asyncio.timeout(5):
            while await k.kubelet.runtime.list_pods():
                await asyncio.sleep(0.01)


async def test_static_pod_runs_without_an_api_server(tmp_path: Path) -> None:
    api = FakeApi()
    api.down = True
    manifest = tmp_path / "manifests" / "web.yaml"
    manifest.parent.mkdir()
    manifest.write_text(MANIFEST)
    async with static_node(tmp_path, api) as k:
        async with asyncio.timeout(5):
            while not await k.kubelet.runtime.list_pods():
                await asyncio.sleep(0.01)
        api.down = False
        await k.until(lambda: MIRROR in api.objects and k.condition(MIRROR, "Ready") == "True", 15)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"{", "not a pod"),
        (b"kind: Deployment", "expected a v1 Pod"),
        (b"[1, 2]", "not a pod"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: x}", "each of spec.containers"),
        (b"apiVersion: v1\nkind: Pod\nmetadata: {name: 5}", "not a pod"),
        (b"\xff\xfe\x00", "not a pod"),
    ],
)
def test_invalid_manifests(data: bytes, message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        manifest_pod(data, "node-1")


def test_valid_manifest() -> None:
    data = b"apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: b}]}"
    found = manifest_pod(data, "node-1")
    assert (found.metadata.name, found.metadata.namespace) == ("web-node-1", "default")
    assert found.metadata.uid != manifest_pod(data + b"\n", "node-1").metadata.uid
