"""The HTTP front end: what a connection can do to the server."""

import asyncio
import gzip
import json
import ssl

import aiohttp
import pytest

from pybernetes.apiserver import http
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.http import Listening
from pybernetes.apiserver.server import ApiServer

from .certs import Pki
from .conftest import Api
from .objects import CMS, config_map


def tls(pki: Pki, *, certificate: bool = True) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=pki.ca)
    if certificate:
        context.load_cert_chain(pki.client_cert, pki.client_key)
    return context


class Web:
    """A client of one server."""

    def __init__(self, session: aiohttp.ClientSession, port: int, context: ssl.SSLContext) -> None:
        self._session, self._base, self._tls = session, f"https://127.0.0.1:{port}", context

    def __call__(self, method: str, path: str, **more):
        from yarl import URL

        return self._session.request(method, URL(self._base + path, encoded=True), ssl=self._tls, **more)


@pytest.fixture
async def web(https: Listening, pki: Pki):
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        yield Web(session, https.port, tls(pki))


async def connect(https: Listening, pki: Pki) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", https.port, ssl=tls(pki))


async def still_serves(web: Web) -> None:
    async with web("GET", "/version") as answer:
        assert answer.status == 200


async def test_the_client_certificate_is_the_user(web: Web, https: Listening, pki: Pki) -> None:
    async with web("GET", "/api/v1/namespaces") as answer:
        assert answer.status == 200
        assert len(answer.headers["audit-id"]) == 36
    async with aiohttp.ClientSession() as session:
        anonymous = Web(session, https.port, tls(pki, certificate=False))
        async with anonymous("GET", "/api/v1/namespaces") as answer:
            assert answer.status == 403
            status = await answer.json()
            assert 'User "system:anonymous" cannot list resource "namespaces"' in status["message"]


async def test_forged_front_proxy_headers_are_ignored(https: Listening, pki: Pki) -> None:
    async with aiohttp.ClientSession() as session:
        anonymous = Web(session, https.port, tls(pki, certificate=False))
        forged = {"X-Remote-User": "admin", "X-Remote-Group": "system:masters"}
        async with anonymous("GET", "/api/v1/secrets", headers=forged) as answer:
            assert answer.status == 403


async def test_large_responses_are_compressed_if_the_client_accepts_it(web: Web, api: Api) -> None:
    for i in range(30):
        await api("POST", CMS, config_map(f"c{i}", data={"a": "x" * 10_000}))
    async with web("GET", CMS, headers={"Accept-Encoding": "gzip"}) as answer:
        assert answer.headers["content-encoding"] == "gzip"
        assert len(json.loads(gzip.decompress(await answer.read()))["items"]) == 30
    async with web("GET", CMS, headers={"Accept-Encoding": "identity"}) as answer:
        assert "content-encoding" not in answer.headers
        assert len((await answer.json())["items"]) == 30


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large(web: Web, chunked: bool) -> None:
    async def parts():
        for _ in range(11):
            yield b"x" * 1_000_000

    async with web("POST", CMS, data=parts() if chunked else b"x" * 11_000_000) as answer:
        assert answer.status == 413
        assert (await answer.json())["reason"] == "RequestEntityTooLarge"
    await still_serves(web)


async def test_a_client_that_sends_everything_before_it_reads_gets_the_error(https: Listening, pki: Pki) -> None:
    reader, writer = await connect(https, pki)
    size = 8_000_000
    writer.write(f"POST {CMS} HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode())
    for _ in range(size // 100_000):
        writer.write(b"x" * 100_000)
        await writer.drain()
    assert (await asyncio.wait_for(reader.readline(), 5)).split()[1] == b"413"
    writer.close()


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/namespaces/default/configmaps/%00",
        "/api/v1/namespaces/default/configmaps/%ff",
        "/api/v1/namespaces/..%2f..%2fkube-system/secrets",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/api/v1/namespaces/default/configmaps?labelSelector=" + "a" * 9000,
        "/api/v1/pods?limit=%ff",
    ],
)
async def test_malicious_paths(web: Web, path: str) -> None:
    async with web("GET", path) as answer:
        assert answer.status in (400, 404)
        assert (await answer.json())["kind"] == "Status"


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /version HTTP/1.1\r\nHost: x\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
        b"GET /version HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_requests_that_are_not_http(https: Listening, pki: Pki, web: Web, sent: bytes) -> None:
    reader, writer = await connect(https, pki)
    writer.write(sent)
    answer = await asyncio.wait_for(reader.read(4096), 2)
    assert not answer or answer.split()[1] in (b"400", b"414", b"431", b"413")
    writer.close()
    await still_serves(web)


async def test_an_incomplete_request_does_not_block_others(https: Listening, pki: Pki, web: Web) -> None:
    opened = [await connect(https, pki) for _ in range(5)]
    for _, writer in opened:
        writer.write(b"POST /api/v1/namespaces/default/configmaps HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n{")
    await still_serves(web)
    for _, writer in opened:
        writer.close()
    await still_serves(web)


async def test_garbage_instead_of_tls(https: Listening, web: Web) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", https.port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n" + b"\xff" * 200)
    assert await asyncio.wait_for(reader.read(), 2) is not None
    writer.close()
    await still_serves(web)


async def test_a_watch_ends_with_its_client(https: Listening, pki: Pki, server: ApiServer) -> None:
    reader, writer = await connect(https, pki)
    writer.write(b"GET /api/v1/namespaces?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"200" in await reader.readline()
    await reader.readuntil(b"ADDED")
    assert server._router.watching.active == 1
    writer.close()
    for _ in range(100):
        await asyncio.sleep(0.01)
        if not server._router.watching.active:
            break
    assert server._router.watching.active == 0


async def test_a_watcher_that_never_reads_is_disconnected(
    https: Listening, pki: Pki, server: ApiServer, api: Api, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http, "WRITE_SECONDS", 0.05)
    reader, writer = await connect(https, pki)
    writer.write(f"GET {CMS}?watch=1&resourceVersion=1 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await api.json("POST", CMS, config_map(), status=201)
    for number in range(200):
        await api.json("PUT", f"{CMS}/cm", config_map(data={"a": f"{number}" + "x" * 100_000}))
        if not server._router.watching.active:
            break
    for _ in range(50):
        await asyncio.sleep(0.01)
        if not server._router.watching.active:
            break
    assert server._router.watching.active == 0
    await still_serves(web)
    writer.close()


async def test_closing_ends_watches_and_stops_listening(https: Listening, pki: Pki, web: Web) -> None:
    async with web("GET", "/api/v1/namespaces?watch=1&resourceVersion=0") as answer:
        await answer.content.readline()
        await https.close(0.05)
        rest = await asyncio.wait_for(_drain(answer), 2)
        assert rest >= 0
    with pytest.raises(aiohttp.ClientConnectionError):
        async with web("GET", "/version"):
            pass


async def _drain(answer: aiohttp.ClientResponse) -> int:
    size = 0
    try:
        async for chunk in answer.content.iter_any():
            size += len(chunk)
    except aiohttp.ClientError:
        pass
    return size


async def test_the_audit_id_of_the_client_is_kept(web: Web) -> None:
    async with web("GET", "/version", headers={"Audit-ID": "abc"}) as answer:
        assert answer.headers["audit-id"] == "abc"


async def test_health_endpoints(web: Web) -> None:
    for path, words in (
        ("/livez", "ok"),
        ("/readyz", "ok"),
        ("/healthz", "ok"),
        ("/healthz/etcd", "ok"),
        ("/readyz?verbose", "[+]etcd ok\n"),
        ("/livez?verbose&exclude=etcd", "[+]etcd excluded: ok\n"),
        ("/metrics", "apiserver_request_duration_seconds_bucket"),
    ):
        async with web("GET", path) as answer:
            assert answer.status == 200
            assert words in await answer.text()
    async with web("GET", "/livez/nonsense") as answer:
        assert answer.status == 404


class TestWithoutAnonymous:
    @pytest.fixture
    def config(self) -> ServerConfig:
        return ServerConfig(anonymous=False)

    async def test_a_client_without_credentials_is_refused(self, https: Listening, pki: Pki) -> None:
        async with aiohttp.ClientSession() as session:
            anonymous = Web(session, https.port, tls(pki, certificate=False))
            async with anonymous("GET", "/version") as answer:
                assert answer.status == 401
                assert (await answer.json())["message"] == "Unauthorized"
