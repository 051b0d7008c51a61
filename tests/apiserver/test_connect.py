"""log, exec, port-forward and proxy, through a fake kubelet that speaks TLS and requires a client certificate."""

import asyncio
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from pybernetes.apiserver.config import KubeletClient, ServerConfig
from pybernetes.apiserver.http import Listening

from .certs import Pki
from .conftest import Api, Kubectl
from .objects import PODS, pod
from .test_http import Web, connect, tls


class Kubelet:
    """Records its requests."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.port = 0

    async def log(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(str(request.rel_url))
        answer = web.StreamResponse()
        await answer.prepare(request)
        for line in (b"one\n", b"two\n"):
            await answer.write(line)
        return answer

    async def exec(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(str(request.rel_url))
        if "websocket" not in request.headers.get("Upgrade", ""):
            return await self.raw(request)
        socket = web.WebSocketResponse(protocols=("v5.channel.k8s.io", "v4.channel.k8s.io"))
        await socket.prepare(request)
        async for message in socket:
            await socket.send_bytes(b"\x01" + bytes(message.data)[1:].upper())
            if b"bye" in bytes(message.data):
                await socket.send_bytes(b"\x03" + b'{"status":"Success"}')
                await socket.close()
        return socket

    async def raw(self, request: web.Request) -> web.StreamResponse:
        """An upgrade that is not a WebSocket: echoes all bytes."""
        transport = request.transport
        assert transport is not None
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n\r\n")

        class Echo:
            def feed_data(self, data: bytes) -> tuple[bool, bytes]:
                transport.write(bytes(data))
                return False, b""

            def feed_eof(self) -> None:
                pass

        request.protocol.set_parser(Echo())
        await asyncio.sleep(5)
        return web.Response()


@pytest.fixture
async def kubelet(pki: Pki) -> AsyncIterator[Kubelet]:
    made = Kubelet()
    app = web.Application()
    app.router.add_get("/containerLogs/{tail:.*}", made.log)
    app.router.add_route("*", "/exec/{tail:.*}", made.exec)
    app.router.add_route("*", "/portForward/{tail:.*}", made.exec)
    app.router.add_get("/{tail:.*}", made.log)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.server_cert, pki.server_key)
    context.load_verify_locations(pki.ca)
    context.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    made.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
    yield made
    await runner.cleanup()


@pytest.fixture
def config(pki: Pki) -> ServerConfig:
    client = KubeletClient(certificate=pki.client_cert, key=pki.client_key, ca=pki.ca)
    return ServerConfig(advertise_address="192.0.2.10", kubelet_client=client)


@pytest.fixture
async def running(api: Api, kubelet: Kubelet) -> None:
    await api.json("POST", "/api/v1/nodes", {"metadata": {"name": "n1"}}, status=201)
    status = {
        "addresses": [{"type": "InternalIP", "address": "127.0.0.1"}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": kubelet.port}},
    }
    merge = "application/merge-patch+json"
    await api.json("PATCH", "/api/v1/nodes/n1/status", {"status": status}, content_type=merge)
    await api.json("POST", PODS, {**pod(), "spec": {**pod()["spec"], "nodeName": "n1"}}, status=201)


async def test_logs(running: None, api: Api, kubelet: Kubelet) -> None:
    answer = await api("GET", f"{PODS}/web/log?follow=true&tailLines=5&nonsense=1")
    assert answer.body == b"one\ntwo\n"
    assert answer.headers["content-type"].startswith("text/plain") or answer.headers["content-type"]
    assert kubelet.asked == ["/containerLogs/default/web/c?follow=true&tailLines=5"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("container=none", "container none is not valid for pod web"),
        ("tailLines=x", "tailLines"),
        ("sinceSeconds=0", "sinceSeconds"),
    ],
)
async def test_invalid_log_options(running: None, api: Api, query: str, words: str) -> None:
    assert words in (await api.json("GET", f"{PODS}/web/log?{query}", status=400))["message"]


async def test_the_container_to_connect_to(api: Api) -> None:
    body = pod()
    body["spec"]["containers"] = [{"name": "a", "image": "x"}, {"name": "b", "image": "x"}]
    await api.json("POST", PODS, body, status=201)
    status = await api.json("GET", f"{PODS}/web/log", status=400)
    assert status["message"] == "a container name must be specified for pod web, choose one of: [a b]"


async def test_a_pod_without_a_node(api: Api) -> None:
    await api.json("POST", PODS, pod(), status=201)
    assert (await api("GET", f"{PODS}/web/log")).body == b""
    status = await api.json("POST", f"{PODS}/web/exec?command=ls", status=400)
    assert status["message"] == "pod web does not have a host assigned"


async def test_exec_without_an_upgrade(running: None, api: Api) -> None:
    status = await api.json("POST", f"{PODS}/web/exec?command=ls", status=400)
    assert status["message"] == "Upgrade request required"


async def test_exec_over_websocket(running: None, https: Listening, pki: Pki, kubelet: Kubelet) -> None:
    url = f"wss://127.0.0.1:{https.port}{PODS}/web/exec?command=sh&command=-c&stdin=true&stdout=true&tty=false"
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(url, ssl=tls(pki), protocols=["v5.channel.k8s.io"]) as socket,
    ):
        assert socket.protocol == "v5.channel.k8s.io"
        await socket.send_bytes(b"\x00" + b"hello" * 50_000)
        assert (await socket.receive_bytes(timeout=2)) == b"\x01" + b"HELLO" * 50_000
        await socket.send_bytes(b"\x00bye")
        assert (await socket.receive_bytes(timeout=2)) == b"\x01BYE"
        assert b"Success" in await socket.receive_bytes(timeout=2)
        assert (await socket.receive(timeout=2)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)
    assert kubelet.asked == ["/exec/default/web/c?input=1&output=1&command=sh&command=-c"]


async def test_port_forward_over_spdy(running: None, https: Listening, pki: Pki, kubelet: Kubelet) -> None:
    reader, writer = await connect(https, pki)
    writer.write(
        f"POST {PODS}/web/portforward HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"
        "Upgrade: SPDY/3.1\r\nX-Stream-Protocol-Version: portforward.k8s.io\r\nContent-Length: 0\r\n\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 2)
    assert head.startswith(b"HTTP/1.1 101")
    for sent in (b"\x80\x03\x00\x01", bytes(range(256)) * 1000):
        writer.write(sent)
        assert await asyncio.wait_for(reader.readexactly(len(sent)), 2) == sent
    writer.close()
    assert kubelet.asked == ["/portForward/default/web"]


async def test_an_unreachable_node(running: None, api: Api, https: Listening, pki: Pki) -> None:
    status = {"daemonEndpoints": {"kubeletEndpoint": {"Port": 1}}}
    merge = "application/merge-patch+json"
    await api.json("PATCH", "/api/v1/nodes/n1/status", {"status": status}, content_type=merge)
    assert (await api("GET", f"{PODS}/web/log")).status == 503
    async with aiohttp.ClientSession() as session:
        asked = Web(session, https.port, tls(pki))
        headers = {"Connection": "Upgrade", "Upgrade": "SPDY/3.1"}
        async with asked("POST", f"{PODS}/web/exec?command=ls", headers=headers) as answer:
            assert answer.status == 503
            assert (await answer.json())["reason"] == "ServiceUnavailable"


async def test_a_proxy_to_the_node(running: None, api: Api, kubelet: Kubelet) -> None:
    answer = await api("GET", "/api/v1/nodes/n1/proxy/stats/summary?only=cpu")
    assert answer.body == b"one\ntwo\n"
    assert kubelet.asked == ["/stats/summary?only=cpu"]


async def test_a_forged_pod_address_does_not_reach_this_machine(running: None, api: Api) -> None:
    merge = "application/merge-patch+json"
    await api.json("PATCH", f"{PODS}/web/status", {"status": {"podIP": "127.0.0.1"}}, content_type=merge)
    assert (await api.json("GET", f"{PODS}/web:80/proxy/", status=400))["message"] == "address not allowed"
    await api.json("GET", f"{PODS}/none/proxy/", status=404)


async def test_a_service_without_endpoints(api: Api) -> None:
    status = await api.json("GET", "/api/v1/namespaces/default/services/none/proxy/", status=404)
    assert status["message"] == 'services "none" not found'


@pytest.mark.slow
async def test_kubectl_logs(running: None, kubectl: Kubectl) -> None:
    assert await kubectl("logs", "web") == "one\ntwo\n"
