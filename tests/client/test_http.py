"""HTTPS to the real server, and to servers that misbehave on the wire."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from apiserver.certs import Pki
from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver.http import Listening, TlsFiles, serve_https
from pybernetes.apiserver.server import ApiServer
from pybernetes.client.client import Client
from pybernetes.client.errors import BadAnswer, NotFound, TooManyRequests, Unauthorized, Unreachable, Unusable
from pybernetes.client.http import Endpoint, HttpTransport
from pybernetes.client.informer import Informer

from .conftest import endpoint

Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
EVENT = b'{"type":"ADDED","object":{"metadata":{"name":"n%d","uid":"n%d","resourceVersion":"%d"}}}\n'


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


class Wire:
    """A server with one behaviour per request, of which the last one repeats."""

    def __init__(self, *plays: Play | bytes) -> None:
        self.plays = list(plays)
        self.heads: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.heads.append(head.decode())
            play = self.plays.pop(0) if len(self.plays) > 1 else self.plays[0]
            if isinstance(play, bytes):
                writer.write(play)
                await writer.drain()
            else:
                await play(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def wire(*plays: Play | bytes, timeout: float = 60.0, path: str = "") -> AsyncIterator[tuple[Wire, Client]]:
    script = Wire(*plays)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.port = server.sockets[0].getsockname()[1]
    client = Client(HttpTransport(Endpoint(server=f"http://127.0.0.1:{script.port}{path}"), timeout=timeout))
    try:
        yield script, client
    finally:
        await client.close()
        server.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def test_silent_server_times_out() -> None:
    async with wire(silent, timeout=0.1) as (script, client):
        with pytest.raises(Unreachable, match=rf"no answer from http://127\.0\.0\.1:{script.port}: timed out"):
            await client.raw("GET", "/version")


async def test_refused_connection_names_the_address() -> None:
    async with wire(silent) as (script, client):
        pass
    client = Client(HttpTransport(Endpoint(server=f"http://127.0.0.1:{script.port}")))
    with pytest.raises(Unreachable, match=rf"http://127\.0\.0\.1:{script.port}: Connection refused"):
        await client.raw("GET", "/version")
    with pytest.raises(Unreachable, match="Connection refused"):
        async for _ in client.of(ConfigMap).watch():
            pass
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        HEAD + b"content-length: 100\r\n\r\n{",
        CHUNKED + b"zz\r\n",
        CHUNKED + chunk(b"{}")[:-1],
        HEAD + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnope",
    ],
)
async def test_truncated_answers_are_unreachable(answer: bytes) -> None:
    async with wire(answer) as (_, client):
        with pytest.raises(Unreachable, match="no answer from"):
            await client.of(ConfigMap).get("a", namespace="d")


async def test_too_many_requests_has_retry_after() -> None:
    answer = b"HTTP/1.1 429 Too Many\r\nretry-after: 3\r\ncontent-length: 4\r\n\r\nbusy"
    async with wire(answer) as (_, client):
        for call in (client.of(ConfigMap).get("a", namespace="d"), anext(client.of(ConfigMap).watch())):
            with pytest.raises(TooManyRequests, match="busy") as caught:
                await call
            assert caught.value.retry_after == 3


async def test_redirects_are_not_followed() -> None:
    answer = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
    async with wire(answer) as (script, client):
        with pytest.raises(BadAnswer):
            await client.of(ConfigMap).list()
        with pytest.raises(BadAnswer, match="302"):
            await anext(client.of(ConfigMap).watch())
        assert len(script.heads) == 2


async def test_path_is_escaped_and_prefix_is_kept() -> None:
    async with wire(HEAD + b"content-length: 2\r\n\r\n{}", path="/k8s/clusters/c1/") as (script, client):
        await client.of(ConfigMap).list(namespace="ns", label_selector="a=b,c in (d, é),e!=f&g+h;i%20")
        await client.raw("GET", "/api/v1/namespaces/d/pods/a?b#c%20d/é")
        await client.raw("GET", "/apis/rbac/clusterroles/system:node")
    lines = [head.split("\r\n")[0] for head in script.heads]
    selector = "a%3Db,c+in+(d,+%C3%A9),e!%3Df%26g%2Bh%3Bi%2520"
    assert lines[0] == f"GET /k8s/clusters/c1/api/v1/namespaces/ns/configmaps?labelSelector={selector} HTTP/1.1"
    assert lines[1] == "GET /k8s/clusters/c1/api/v1/namespaces/d/pods/a%3Fb%23c%2520d/%C3%A9 HTTP/1.1"
    assert lines[2] == "GET /k8s/clusters/c1/apis/rbac/clusterroles/system:node HTTP/1.1"


async def test_a_rotated_token_is_sent(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("one")
    async with wire(HEAD + b"content-length: 2\r\n\r\n{}") as (script, _):
        client = Client(HttpTransport(Endpoint(server=f"http://127.0.0.1:{script.port}", token_file=token)))
        await client.raw("GET", "/version")
        token.write_text("three")
        await client.raw("GET", "/version")
        await client.close()
        gone = Client(HttpTransport(Endpoint(server=f"http://127.0.0.1:{script.port}", token_file=tmp_path / "no")))
        with pytest.raises(Unusable, match="no: the token can't be read"):
            await gone.raw("GET", "/version")
        await gone.close()
    sent = [line for head in script.heads for line in head.split("\r\n") if line.lower().startswith("authorization")]
    assert [line.split(": ")[1] for line in sent] == ["Bearer one", "Bearer three"]


async def test_partial_lines_of_a_watch_are_joined_and_a_truncated_one_is_dropped() -> None:
    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        data = b"".join(EVENT % (n, n, n) for n in range(1, 4))
        writer.write(CHUNKED)
        for start in range(0, len(data), 7):
            writer.write(chunk(data[start : start + 7]))
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(chunk((EVENT % (9, 9, 9))[:20]))

    async with wire(play) as (_, client):
        names = []
        with pytest.raises(Unreachable):
            async for batch in client.of(ConfigMap).watch():
                names += [event.object.metadata.name for event in batch if event.object]
        assert names == ["n1", "n2", "n3"]


@pytest.mark.slow
async def test_informer_recovers_from_each_fault() -> None:
    """Lists, and watches that are truncated, garbled, refused or expired: no change is missed or repeated."""
    listing = b'{"metadata":{"resourceVersion":"%d"},"items":[%s]}'

    def item(number: int) -> bytes:
        return b'{"metadata":{"name":"n%d","uid":"n%d","resourceVersion":"%d"}}' % (number, number, number)

    def complete(body: bytes, status: bytes = b"200 OK", extra: bytes = b"") -> bytes:
        return b"HTTP/1.1 %s\r\n%scontent-length: %d\r\n\r\n%s" % (status, extra, len(body), body)

    gone = b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired"}}\n'
    parts: list[Play | bytes] = [
        complete(listing % (1, item(1))),
        CHUNKED + chunk(EVENT % (2, 2, 2)),  # cut off
        CHUNKED + chunk(b"<html>oops</html>\n"),
        complete(b"busy", b"429 Too Many"),
        complete(b"<html>bad gateway</html>", b"502 Bad Gateway"),
        b"",
        CHUNKED + chunk(EVENT % (3, 3, 3) + gone) + b"0\r\n\r\n",
        complete(b"not json"),
        complete(listing % (7, b",".join(map(item, (1, 3, 5))))),
        silent,
    ]
    async with wire(*parts) as (script, client):
        informer = Informer(client.of(ConfigMap))
        seen: list[str] = []
        informer.add_handler(lambda old, new: seen.append(("-" if new is None else "+") + (new or old).metadata.name))  # type: ignore[union-attr]
        task = asyncio.create_task(informer.run(), name="informer")
        async with asyncio.timeout(20):
            while len(script.heads) < len(parts):
                await asyncio.sleep(0.01)
        assert seen == ["+n1", "+n2", "+n3", "+n5", "-n2"]
        assert "resourceVersion=7" in script.heads[-1]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_unknown_ca_is_reported(https: Listening, pki: Pki, other_pki: Pki) -> None:
    client = Client(HttpTransport(endpoint(pki, https.port, ca=other_pki.ca)))
    with pytest.raises(Unreachable, match=r"certificate is not trusted .*is the CA of the kubeconfig this cluster's"):
        await client.raw("GET", "/version")
    await client.close()


async def test_wrong_name_in_the_certificate_is_reported(server: ApiServer, tls: TlsFiles, pki: Pki) -> None:
    listening = await serve_https(server, "127.0.0.2", 0, tls)
    client = Client(HttpTransport(Endpoint(server=f"https://127.0.0.2:{listening.port}", ca_file=Path(pki.ca))))
    with pytest.raises(Unreachable, match=r"not trusted \(IP address mismatch.*127\.0\.0\.2"):
        await client.raw("GET", "/version")
    await client.close()
    await listening.close(0.1)


async def test_https_to_a_plain_port_and_back(https: Listening, pki: Pki) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    client = Client(HttpTransport(endpoint(pki, server.sockets[0].getsockname()[1])))
    with pytest.raises(Unreachable, match=r"TLS failed .*does this port speak HTTPS"):
        await client.raw("GET", "/version")
    await client.close()
    server.close()
    plain = Client(HttpTransport(Endpoint(server=f"http://127.0.0.1:{https.port}")))
    with pytest.raises(Unreachable):
        await plain.raw("GET", "/version")
    await plain.close()


async def test_bad_tls_files_are_named(tmp_path: Path, https: Listening, pki: Pki) -> None:
    (tmp_path / "ca").write_text("no certificate")
    for bad, name in (
        (Endpoint(server="https://127.0.0.1:1", ca_file=tmp_path / "none"), "none"),
        (Endpoint(server="https://127.0.0.1:1", ca_file=tmp_path / "ca"), "ca"),
        (Endpoint(server="https://127.0.0.1:1", cert_file=Path(pki.ca), key_file=tmp_path / "k"), "k"),
        (Endpoint(server="https://127.0.0.1:1", cert_file=Path(pki.client_cert), key_file=Path(pki.server_key)), "key"),
    ):
        client = Client(HttpTransport(bad))
        with pytest.raises(Unusable, match=name):
            await client.raw("GET", "/version")
        await client.close()


async def test_request_without_a_certificate_is_unauthorized(https: Listening, pki: Pki) -> None:
    for options in ({}, {"insecure_skip_tls_verify": True}, {"token": "wrong"}):
        base = Endpoint(server=f"https://127.0.0.1:{https.port}", ca_file=Path(pki.ca), **options)  # type: ignore[arg-type]
        client = Client(HttpTransport(base))
        with pytest.raises((Unauthorized, NotFound, Exception)) as caught:
            await client.of(ConfigMap).list()
        assert getattr(caught.value, "code", 0) in (401, 403)
        await client.close()


def big(n: int, size: int = 4000) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=f"big{n:05}", namespace="default"), data={"x": f"{n}-" * (size // 6)})


@pytest.mark.slow
async def test_large_list_over_https(client: Client, remote: Client) -> None:
    await asyncio.gather(*[client.of(ConfigMap).create(big(n)) for n in range(1500)])
    found = await remote.of(ConfigMap).list(namespace="default", label_selector="")
    mine = [obj for obj in found.items if obj.metadata.name.startswith("big")]
    assert [obj.metadata.name for obj in mine] == [f"big{n:05}" for n in range(1500)]
    assert all(obj.data == big(n).data for n, obj in enumerate(mine))


@pytest.mark.slow
async def test_thousands_of_events_in_order_over_https(client: Client, remote: Client) -> None:
    maps = client.of(ConfigMap)
    start = (await maps.list(namespace="default")).resource_version
    revisions: list[int] = []
    count = 3000

    async def follow() -> None:
        async with aclosing(remote.of(ConfigMap).watch(namespace="default", resource_version=start)) as batches:
            async for batch in batches:
                revisions.extend(int(event.resource_version) for event in batch)
                if len(revisions) >= count:
                    return

    task = asyncio.create_task(follow(), name="follow")
    for turn in range(0, count, 50):
        await asyncio.gather(*[maps.create(big(turn + n, 200)) for n in range(50)])
    await asyncio.wait_for(task, 30)
    assert revisions == sorted(set(revisions)) and len(revisions) == count


async def test_server_restarts_during_a_watch(server: ApiServer, client: Client, tls: TlsFiles, pki: Pki) -> None:
    listening = await serve_https(server, "127.0.0.1", 0, tls)
    port = listening.port
    away = Client(HttpTransport(endpoint(pki, port)))
    informer = Informer(away.of(ConfigMap), namespace="default")
    seen: list[str] = []
    informer.add_handler(lambda old, new: seen.append(("-" if new is None else "+") + (new or old).metadata.name))  # type: ignore[union-attr]
    task = asyncio.create_task(informer.run(), name="informer")
    maps = client.of(ConfigMap)
    await asyncio.wait_for(informer.synced(), 5)
    await maps.create(big(1))
    await listening.close(0)
    await maps.create(big(2))
    await maps.delete("big00001", namespace="default")
    await asyncio.sleep(0.12)
    listening = await serve_https(server, "127.0.0.1", port, tls)
    await maps.create(big(3))
    async with asyncio.timeout(10):
        while "+big00003" not in seen:
            await asyncio.sleep(0.01)
    assert [t for t in seen if "big" in t] == ["+big00001", "+big00002", "-big00001", "+big00003"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await away.close()
    await listening.close(0.1)


async def test_history_compacted_while_the_server_is_down(
    server: ApiServer,
    client: Client,
    store,
    tls: TlsFiles,
    pki: Pki,  # type: ignore[no-untyped-def]
) -> None:
    listening = await serve_https(server, "127.0.0.1", 0, tls)
    port = listening.port
    away = Client(HttpTransport(endpoint(pki, port)))
    informer = Informer(away.of(ConfigMap), namespace="default")
    seen: list[str] = []
    informer.add_handler(lambda old, new: seen.append(("-" if new is None else "+") + (new or old).metadata.name))  # type: ignore[union-attr]
    maps = client.of(ConfigMap)
    await maps.create(big(1))
    task = asyncio.create_task(informer.run(), name="informer")
    await asyncio.wait_for(informer.synced(), 5)
    await listening.close(0)
    await maps.delete("big00001", namespace="default")
    await maps.create(big(2))
    await store.compact(store.revision)
    listening = await serve_https(server, "127.0.0.1", port, tls)
    async with asyncio.timeout(10):
        while not {"-big00001", "+big00002"} <= set(seen):
            await asyncio.sleep(0.01)
    assert sorted(t for t in seen if "big" in t) == ["+big00001", "+big00002", "-big00001"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await away.close()
    await listening.close(0.1)


async def test_a_closed_watch_ends_its_request() -> None:
    ended = asyncio.Event()

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + chunk(EVENT % (1, 1, 1)))
        await reader.read()
        ended.set()

    async with wire(play) as (_, client):
        async with aclosing(client.of(ConfigMap).watch()) as batches:
            assert [event.type for event in await anext(batches)] == ["ADDED"]
        async with asyncio.timeout(5):
            await ended.wait()


async def test_a_transport_may_be_closed_twice_and_used_again() -> None:
    async with wire(HEAD + b"content-length: 2\r\n\r\n{}") as (script, client):
        for _ in range(2):
            await client.raw("GET", "/version")
            await client.close()
            await client.close()
        assert len(script.heads) == 2
