"""The kubelet's HTTPS server: authorization, errors, malformed requests."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from apiserver.certs import Pki, make_pki
from pybernetes.kubelet.config import ConfigError
from pybernetes.kubelet.pods import PodRegistry
from pybernetes.kubelet.server.access import is_allowed, subject
from pybernetes.kubelet.server.handlers import Refused, log_options
from pybernetes.kubelet.server.http import BadRequest, parse_head
from pybernetes.kubelet.server.server import KubeletServer
from pybernetes.kubelet.server.tunnel import UpgradeRefused, check_upgrade, upstream_head
from pybernetes.kubelet.simulated.runtime import SimulatedRuntime, addresses

from .builders import NOW, pod
from .harness import config


@dataclass
class Served:
    """A running server."""

    server: KubeletServer
    registry: PodRegistry
    pki: Pki

    async def ask(self, head: str, *, known: bool = True) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if known:
            context.load_cert_chain(self.pki.client_cert, self.pki.client_key)
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port, ssl=context)
        writer.write(head.encode("latin-1"))
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
        return answer


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    pki = make_pki(tmp_path)
    settings = config(tmp_path, serve=True, port=0, address="127.0.0.1", client_ca_file=Path(pki.ca))
    registry = PodRegistry()
    runtime = SimulatedRuntime(clock=lambda: NOW, address=addresses())
    server = KubeletServer(settings, runtime, registry)
    task = asyncio.create_task(server.run())
    while not server.port:
        await asyncio.sleep(0.005)
    yield Served(server, registry, pki)
    task.cancel()
    await asyncio.wait([task])


def get(path: str, *lines: str) -> str:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *lines, "", ""])


async def test_unauthenticated_clients_may_only_check_health(served: Served) -> None:
    assert b" 200 " in await served.ask(get("/healthz"), known=False)
    assert b" 401 Unauthorized" in await served.ask(get("/pods"), known=False)


async def test_pods_and_metrics(served: Served) -> None:
    served.registry.by_uid["u1"] = pod()
    assert b'"name":"web"' in await served.ask(get("/pods"))
    assert b"kubelet_running_pods 1" in await served.ask(get("/metrics"))
    assert b'"nodeName":"node-1"' in await served.ask(get("/stats/summary"))


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (get("/nowhere"), 404),
        (get("/containerLogs/default/none/c"), 404),
        (get("/containerLogs/default/web/none"), 404),
        (get("/containerLogs/default/web/c"), 400),
        (get("/containerLogs/default/web/c?tailLines=x"), 400),
        (get("/containerLogs/default/web/c?sinceTime=yesterday"), 400),
        (get("/exec/default/web/c?command=ls"), 404),
        (get("/portForward/default/web", "Connection: Upgrade", "Upgrade: SPDY/3.1"), 400),
        ("\r\n\r\n", 400),
        ("GET /\r\n\r\n", 400),
        ("\x16\x03\x01 / HTTP/1.1\r\n: x\r\n\r\n", 400),
        ("GET /healthz HTTP/1.1\r\nA: " + "x" * 70_000 + "\r\n\r\n", 400),
    ],
)
async def test_bad_requests(served: Served, head: str, status: int) -> None:
    served.registry.by_uid["u1"] = pod()
    assert f" {status} ".encode() in (await served.ask(head)).split(b"\r\n")[0]


async def test_port_in_use(served: Served, tmp_path: Path) -> None:
    settings = config(tmp_path, port=served.server.port, address="127.0.0.1")
    other = KubeletServer(settings, SimulatedRuntime(clock=lambda: NOW, address=addresses()), PodRegistry())
    with pytest.raises(ConfigError, match="--port"):
        await other.run()


def test_authorization(tmp_path: Path) -> None:
    settings = config(tmp_path)
    assert is_allowed(settings, "kube-apiserver-kubelet-client", (), "/pods")
    assert is_allowed(settings, "x", ("system:masters",), "/pods")
    assert not is_allowed(settings, "x", ("system:nodes",), "/pods")
    assert not is_allowed(settings, "", ("system:masters",), "/pods")
    certificate: dict[str, Any] = {"subject": ((("organizationName", "o"),), (("commonName", "n"),))}
    assert subject(certificate) == ("n", ("o",))
    assert subject(None) == ("", ())


def test_new_websocket_protocols_are_refused_so_that_kubectl_falls_back() -> None:
    def upgrade(protocols: str) -> str:
        return get("/exec/a/b/c", "Upgrade: websocket", f"Sec-WebSocket-Protocol: {protocols}", "Authorization: t")

    for offered in ("v5.channel.k8s.io", "SPDY/3.1+portforward.k8s.io"):
        with pytest.raises(UpgradeRefused):
            check_upgrade(parse_head(upgrade(offered).encode()))
    both = parse_head(upgrade("v5.channel.k8s.io, v4.channel.k8s.io").encode())
    check_upgrade(both)
    sent = upstream_head(both, "/exec/T", "127.0.0.1:1").decode()
    assert "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n" in sent
    assert "Authorization" not in sent
    assert sent.startswith("GET /exec/T HTTP/1.1\r\nHost: 127.0.0.1:1\r\n")
    with pytest.raises(UpgradeRefused):
        check_upgrade(parse_head(get("/exec/a/b/c").encode()))


@pytest.mark.parametrize("query", ["tailLines=-1", "limitBytes=0", "sinceSeconds=x"])
def test_invalid_log_options(query: str) -> None:
    with pytest.raises(Refused):
        log_options(parse_head(get(f"/containerLogs/a/b/c?{query}").encode()), NOW)


@pytest.mark.parametrize("head", [b"", b"GET / HTTP/2\r\n\r\n", b"GET x HTTP/1.1\r\n\r\n", b"a b c d\r\n\r\n"])
def test_malformed_heads(head: bytes) -> None:
    with pytest.raises(BadRequest):
        parse_head(head)
