"""Checks of probes against real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pybernetes.api.core.container import Container, ContainerPort
from pybernetes.api.core.probe import GRPCAction, HTTPGetAction, TCPSocketAction
from pybernetes.kubelet.probes import checks

from .grpc_server import grpc_server


@asynccontextmanager
async def tcp(answer: bytes | None) -> AsyncIterator[int]:
    """A server that sends `answer` after it has read a request. With None it does not respond."""

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
