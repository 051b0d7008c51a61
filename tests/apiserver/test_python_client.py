"""The official Python client, which checks every response against its models."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config, watch
from kubernetes.client.rest import ApiException

from pybernetes.apiserver.http import Listening

from .certs import Pki
from .conftest import kubeconfig
from .objects import config_map, pod, service

pytestmark = pytest.mark.slow


@pytest.fixture
def core(https: Listening, pki: Pki, tmp_path: Path) -> client.CoreV1Api:
    path = kubeconfig(pki, https.port, tmp_path / "kubeconfig")
    return client.CoreV1Api(config.new_client_from_config(str(path)))


async def call(function: Any, *args: Any, **more: Any) -> Any:
    return await asyncio.to_thread(function, *args, **more)


async def test_create_and_delete(core: client.CoreV1Api) -> None:
    made = await call(core.create_namespaced_pod, "default", pod())
    assert made.status.phase == "Pending"
    assert (await call(core.read_namespaced_pod, "web", "default")).metadata.uid == made.metadata.uid
    listed = await call(core.list_pod_for_all_namespaces, label_selector="!x", limit=1)
    assert [item.metadata.name for item in listed.items] == ["web"]
    patched = await call(core.patch_namespaced_pod, "web", "default", {"metadata": {"labels": {"a": "b"}}})
    assert patched.metadata.labels == {"a": "b"}
    await call(core.create_namespaced_service, "default", service())
    await call(core.delete_namespaced_service, "web", "default")
    await call(core.delete_namespaced_pod, "web", "default")
    with pytest.raises(ApiException) as error:
        await call(core.read_namespaced_pod, "web", "default")
    assert error.value.status == 404


async def test_a_watch(core: client.CoreV1Api) -> None:
    def watched() -> list[str]:
        stream = watch.Watch().stream(core.list_namespaced_config_map, "default", timeout_seconds=5)
        seen = []
        for event in stream:
            seen.append(f"{event['type']} {event['object'].metadata.name}")
            if event["type"] == "DELETED":
                return seen
        return seen

    watching = asyncio.create_task(call(watched))
    await asyncio.sleep(0.1)
    await call(core.create_namespaced_config_map, "default", config_map())
    await call(core.delete_namespaced_config_map, "cm", "default")
    assert await watching == ["ADDED cm", "DELETED cm"]


async def test_discovery(core: client.CoreV1Api) -> None:
    api = core.api_client
    assert (await call(client.VersionApi(api).get_code)).git_version == "v1.34.0"
    groups = await call(client.ApisApi(api).get_api_versions)
    assert "apps" in [group.name for group in groups.groups]
    assert "pods" in [resource.name for resource in (await call(core.get_api_resources)).resources]
