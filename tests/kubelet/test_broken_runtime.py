"""Runtimes that do not respond, or respond with garbage."""

from pathlib import Path

import pytest

from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.runtime import RuntimeFailure, RuntimeUnavailable

from .grpc_server import grpc_server
from .harness import config, running


async def test_runtime_that_is_not_running(tmp_path: Path) -> None:
    runtime = CriRuntime(str(tmp_path / "none.sock"))
    with pytest.raises(RuntimeUnavailable, match="does not answer"):
        await runtime.status()
    await runtime.close()


@pytest.mark.parametrize("response", [b"\xff\xff\xff", b"\x0a\x05ab"])
async def test_malformed_response(tmp_path: Path, response: bytes) -> None:
    socket = str(tmp_path / "s")
    async with grpc_server(f"unix:{socket}", response):
        runtime = CriRuntime(socket)
        for call in (runtime.status, runtime.list_pods, runtime.list_images):
            with pytest.raises(RuntimeFailure):
                await call()
        await runtime.close()


async def test_response_without_any_field(tmp_path: Path) -> None:
    socket = str(tmp_path / "s")
    async with grpc_server(f"unix:{socket}", b""):
        runtime = CriRuntime(socket)
        status = await runtime.status()
        assert not status.ready
        assert "does not report NetworkReady" in status.network_message
        assert await runtime.list_pods() == {}
        assert await runtime.image("x") is None
        await runtime.close()


async def test_node_is_not_ready_without_a_runtime(tmp_path: Path) -> None:
    async with running(CriRuntime(str(tmp_path / "none.sock")), config(tmp_path, cgroups_per_qos=False)) as k:
        path = "/api/v1/nodes/node-1"
        await k.until(lambda: k.api.objects.get(path, {}).get("status", {}).get("conditions"))
        ready = next(c for c in k.api.objects[path]["status"]["conditions"] if c["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
        assert ready["message"].startswith("container runtime is down")
