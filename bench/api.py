"""The API server over TLS on loopback: GET, durable create, LIST of 10,000 pods, one change to 1,000 watchers.

The server runs in a separate process, as it does in a cluster; clients are HTTP/1.1 connections in this one.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import ssl
import tempfile
import time
from contextlib import AsyncExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from typing import Any

import uvloop

from pybernetes.apiserver import codec
from pybernetes.apiserver.assembly import Security, assemble
from pybernetes.apiserver.auth.signing import generate
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.http import TlsFiles, serve_https
from pybernetes.apiserver.types import User
from pybernetes.store.sqlite import SqliteStore

TOKEN = "bench"
PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
COUNT = 10_000
WATCHERS = 1_000
CONNECTIONS = 16


def self_signed(folder: Path) -> TlsFiles:
    """A certificate for loopback."""
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    (folder / "tls.crt").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    encoding, none = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / "tls.key").write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, none))
    return TlsFiles(certificate=str(folder / "tls.crt"), key=str(folder / "tls.key"))


def pod(number: int) -> bytes:
    """A stored pod of 2 KB, as clusters have them."""
    return codec.encode(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"pod-{number:05}", "namespace": "default", "uid": f"{number:036}"},
            "spec": {"containers": [{"name": "c", "image": "busybox", "env": [{"name": "A", "value": "x" * 1700}]}]},
            "status": {"phase": "Running"},
        }
    )


def serve(pipe: Connection, folder: str) -> None:
    """The server's process."""

    async def main() -> None:
        path = Path(folder)
        store = await SqliteStore.open(path / "state.db", stamp=codec.stamp)
        security = Security(signing_key=generate(), static_tokens={TOKEN: User("bench", ("system:masters",))})
        server = assemble(ServerConfig(), store, security)
        await server.start()
        await asyncio.gather(*(store.put(f"/registry/pods/default/pod-{i:05}", pod(i)) for i in range(COUNT)))
        listening = await serve_https(server, "127.0.0.1", 0, self_signed(path))
        pipe.send(listening.port)
        await asyncio.to_thread(pipe.recv)
        await listening.close(0.1)
        await server.close()
        await store.close()

    uvloop.run(main())


class Http:
    """One keep-alive connection, as thin as can be: the server is measured, not the client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int) -> Http:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return cls(*await asyncio.open_connection("127.0.0.1", port, ssl=context, limit=1 << 24))

    def send(self, method: str, path: str, body: bytes = b"") -> None:
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)

    async def head(self) -> tuple[int, dict[bytes, bytes]]:
        raw = await self.reader.readuntil(b"\r\n\r\n")
        first, *lines = raw.split(b"\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in lines if line)
        return int(first.split()[1]), headers

    async def request(self, method: str, path: str, body: bytes = b"") -> int:
        self.send(method, path, body)
        status, headers = await self.head()
        if b"content-length" in headers:
            await self.reader.readexactly(int(headers[b"content-length"]))
            return status
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            await self.reader.readexactly(size + 2)
        await self.reader.readexactly(2)
        return status

    def close(self) -> None:
        self.writer.close()


async def rate(port: int, method: str, path: str, body: Any, seconds: float = 2.0) -> float:
    """Answers per second over a few connections."""
    connections = [await Http.open(port) for _ in range(CONNECTIONS)]
    end, done = time.perf_counter() + seconds, 0

    async def work(http: Http) -> None:
        nonlocal done
        while time.perf_counter() < end:
            done += 1
            status = await http.request(method, path, body(done) if body else b"")
            assert status in (200, 201), status

    start = time.perf_counter()
    await asyncio.gather(*map(work, connections))
    taken = time.perf_counter() - start
    for http in connections:
        http.close()
    return done / taken


def config_map(number: int) -> bytes:
    meta = {"name": f"bench-{number}", "namespace": "default"}
    return codec.encode({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {"a": "1"}})


async def list_ms(port: int) -> float:
    """First byte to last of the best of five lists."""
    http, best = await Http.open(port), 1e9
    for _ in range(5):
        http.send("GET", PODS)
        await http.reader.readexactly(1)
        start = time.perf_counter()
        await _rest(http)
        best = min(best, time.perf_counter() - start)
    http.close()
    return best * 1000


async def _rest(http: Http) -> None:
    tail = b""
    while not tail.endswith(b"\r\n0\r\n\r\n"):
        tail = (tail + await http.reader.read(1 << 20))[-16:]


async def fan_out_ms(port: int) -> float:
    """p99 over all watchers and ten changes: from the change being sent to its line being read."""
    async with AsyncExitStack() as stack:
        watchers = []
        for _ in range(WATCHERS):
            http = await Http.open(port)
            stack.callback(http.close)
            http.send("GET", f"{MAPS}?watch=1&fieldSelector=metadata.name%3Dfan")
            await http.head()
            watchers.append(http)
        writer = await Http.open(port)
        stack.callback(writer.close)
        delays: list[float] = []
        for number in range(10):
            body = codec.encode({"metadata": {"name": "fan", "namespace": "default"}, "data": {"n": str(number)}})
            start = time.perf_counter()

            async def seen(http: Http, since: float = start) -> None:
                await http.reader.readuntil(b"}\n\r\n")
                delays.append(time.perf_counter() - since)

            waiting = [asyncio.ensure_future(seen(http)) for http in watchers]
            method, path = ("POST", MAPS) if number == 0 else ("PUT", f"{MAPS}/fan")
            await writer.request(method, path, body)
            await asyncio.gather(*waiting)
        return quantiles(delays, n=100)[98] * 1000


async def measure(port: int) -> list[dict[str, Any]]:
    await rate(port, "GET", f"{PODS}/pod-00042", None, 0.5)
    gets = await rate(port, "GET", f"{PODS}/pod-00042", None)
    creates = await rate(port, "POST", MAPS, config_map)
    listed = await list_ms(port)
    fanned = await fan_out_ms(port)
    return [
        _row("API GET over TLS", 8000, gets, "/s"),
        _row("API durable create over TLS", 2500, creates, "/s"),
        _row("LIST of 10,000 pods, first byte to last", 150, listed, "ms"),
        _row("one change to 1,000 watchers, p99", 100, fanned, "ms"),
    ]


def _row(figure: str, target: float, value: float, unit: str) -> dict[str, Any]:
    return {
        "figure": figure,
        "target": target,
        "value": round(value, 1),
        "unit": unit,
        "alternative": "",
        "alternative_value": None,
    }


def run() -> list[dict[str, Any]]:
    """The figures."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    with tempfile.TemporaryDirectory() as folder:
        process = context.Process(target=serve, args=(theirs, folder), name="apiserver")
        process.start()
        try:
            return uvloop.run(measure(ours.recv()))
        finally:
            ours.send("stop")
            process.join(10)


if __name__ == "__main__":
    for row in run():
        print(f"{row['figure']:45} {row['value']:>10} {row['unit']:4} (target {row['target']})")
