"""Runtimes that answer nonsense or not at all, probes of real sockets, static pods."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest

from pybernetes.api.core.container import Container, ContainerPort
from pybernetes.api.core.probe import GRPCAction, HTTPGetAction, TCPSocketAction
from pybernetes.client.client import Client
from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.kubelet.kubelet import Kubelet
from pybernetes.kubelet.probes import checks
from pybernetes.kubelet.runtime import RuntimeFailure, RuntimeUnavailable
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses
from pybernetes.kubelet.static_pods import StaticPods

from .fake_api import FakeApi
from .harness import Harness, config, running, simulated


class Garbage(grpc.GenericRpcHandler):  # type: ignore[misc]
    """A gRPC server that answers every call with the same bytes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer

    def service(self, details: Any) -> Any:
        async def handle(request: bytes, context: Any) -> bytes:
            return self._answer

        return grpc.unary_unary_rpc_method_handler(handle)


@asynccontextmanager
async def grpc_server(where: str, answer: bytes) -> AsyncIterator[int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((Garbage(answer),))
    port = server.add_insecure_port(where)
    await server.start()
    yield port
    await server.stop(None)


async def test_a_runtime_that_is_not_there(tmp_path: Path) -> None:
    runtime = CriRuntime(str(tmp_path / "none.sock"))
    with pytest.raises(RuntimeUnavailable, match="does not answer"):
        await runtime.status()
    await runtime.close()


@pytest.mark.parametrize("answer", [b"\xff\xff\xff", b"\x0a\x05ab"])
async def test_a_runtime_that_answers_garbage(tmp_path: Path, answer: bytes) -> None:
    socket = f"/tmp/pbt-garbage-{time.time_ns()}.sock"
    async with grpc_server(f"unix:{socket}", answer):
        runtime = CriRuntime(socket)
        for call in (runtime.status, runtime.list_pods, runtime.list_images):
            with pytest.raises(RuntimeFailure):
                await call()
        await runtime.close()


async def test_a_runtime_that_leaves_everything_out() -> None:
    socket = f"/tmp/pbt-empty-{time.time_ns()}.sock"
    async with grpc_server(f"unix:{socket}", b""):
        runtime = CriRuntime(socket)
        status = await runtime.status()
        assert not status.ready
        assert "does not report NetworkReady" in status.network_message
        assert await runtime.list_pods() == {}
        assert await runtime.image("x") is None
        await runtime.close()


async def test_kubelet_waits_for_its_runtime(tmp_path: Path) -> None:
    async with running(CriRuntime(str(tmp_path / "none.sock")), config(tmp_path, cgroups_per_qos=False)) as k:
        path = "/api/v1/nodes/node-1"
        await k.until(lambda: k.api.objects.get(path, {}).get("status", {}).get("conditions"))
        ready = next(c for c in k.api.objects[path]["status"]["conditions"] if c["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "KubeletNotReady")
        assert ready["message"].startswith("container runtime is down")


Respond = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def tcp(answer: bytes | None) -> AsyncIterator[int]:
    """A server that reads a request and answers; with None it says nothing."""

    async def respond(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(4096)
            if answer is None:
                await reader.read()
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(respond, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    ("answer", "ok", "output"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nfine", True, "fine"),
        (b"HTTP/1.0 302 Found\r\nLocation: /x\r\n\r\n", True, ""),
        (b"HTTP/1.1 404 No\r\n\r\n", False, "HTTP probe failed with statuscode: 404"),
        (b"HTTP/1.1 500 No\r\n\r\n", False, "HTTP probe failed with statuscode: 500"),
        (b"garbage\r\n", False, "malformed HTTP response"),
        (b"", False, "malformed HTTP response"),
        (b"HTTP/1.1 abc\r\n\r\n", False, "malformed HTTP response"),
        (b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000, False, "limit"),
        (None, False, "context deadline exceeded"),
    ],
)
async def test_http_probe(answer: bytes | None, ok: bool, output: str) -> None:
    async with tcp(answer) as port:
        result = await checks.http_get(HTTPGetAction(port=port, path="/"), Container(), "127.0.0.1", 0.2)
    assert result.ok is ok
    assert output in result.output


async def test_probes_by_port_name_and_refused_ports() -> None:
    async with tcp(b"HTTP/1.1 200 OK\r\n\r\n") as port:
        of = Container(name="c", ports=[ContainerPort(name="web", container_port=port)])
        assert (await checks.http_get(HTTPGetAction(port="web"), of, "127.0.0.1", 1)).ok
        assert (await checks.tcp_socket(TCPSocketAction(port="web"), of, "127.0.0.1", 1)).ok
        unknown = await checks.tcp_socket(TCPSocketAction(port="none"), of, "127.0.0.1", 1)
        assert unknown.output == "couldn't find port 'none' in container c"
    refused = await checks.http_get(HTTPGetAction(port=port), Container(), "127.0.0.1", 1)
    assert "connection refused" in refused.output


@pytest.mark.parametrize(
    ("answer", "ok", "output"),
    [(b"\x08\x01", True, "healthy"), (b"\x08\x02", False, "NOT_SERVING"), (b"", False, "UNKNOWN")],
)
async def test_grpc_probe(answer: bytes, ok: bool, output: str) -> None:
    async with grpc_server("127.0.0.1:0", answer) as port:
        result = await checks.grpc_health(GRPCAction(port=port, service="x"), "127.0.0.1", 2)
    assert result.ok is ok
    assert output in result.output


MANIFEST = "apiVersion: v1\nkind: Pod\nmetadata: {name: web}\nspec: {containers: [{name: c, image: b}]}\n"
MIRROR = "/api/v1/namespaces/default/pods/web-node-1"


@asynccontextmanager
async def static_node(root: Path, api: FakeApi) -> AsyncIterator[Harness]:
    """A simulated kubelet with static pods."""
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


async def test_static_pod_lives_by_its_manifest(tmp_path: Path) -> None:
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
