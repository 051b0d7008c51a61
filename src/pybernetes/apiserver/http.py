"""The HTTP front end: TLS, reading requests, authentication; then `Handler`; then writing responses.

It knows no resources. It protects the server: it limits body sizes and times, and disconnects clients that do not read.
"""

import asyncio
import logging
import random
import ssl
import uuid
import zlib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from aiohttp import web
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest
from cryptography import x509

from pybernetes.apiserver import errors, tunnel
from pybernetes.apiserver.rendering import refusal
from pybernetes.apiserver.requests import REPEAT
from pybernetes.apiserver.server import ApiServer
from pybernetes.apiserver.types import ANONYMOUS, StreamResponse, Tunnel, User
from pybernetes.client.errors import ApiError
from pybernetes.client.transport import Request, Response

log = logging.getLogger(__name__)

#: A client that reads nothing for this long is disconnected.
WRITE_SECONDS = 30.0
#: A connection that has not sent a complete request header by then is closed.
HEADER_SECONDS = 30.0
KEEPALIVE_SECONDS = 180.0
LINGER_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """PEM files: the server's certificate and key, and the CA that signs clients ("" takes no client certificates)."""

    certificate: str
    key: str
    client_ca: str = ""

    def context(self) -> ssl.SSLContext:
        """Client certificates are optional. One that is presented must be signed by the CA."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate, self.key)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context


class _Connection(RequestHandler):
    """A connection whose first request must arrive in time. Caches the user of its client certificate."""

    peer: x509.Certificate | None = None
    peer_read = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._loop.call_later(HEADER_SECONDS, self._expect_request, transport)

    def _expect_request(self, transport: asyncio.BaseTransport) -> None:
        if self._request_count == 0 and not transport.is_closing():
            transport.close()


class _Server(web.Server):
    def __call__(self) -> RequestHandler:
        return _Connection(self, loop=self._loop, **self._kwargs)


class Front:
    """Turns HTTP requests into calls of the server."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._config = server.context.config
        self._endless: set[asyncio.Task[Any]] = set()
        self._closing = False
        self._random = random.Random()

    def end_streams(self) -> None:
        """End watches, logs and tunnels, which would never end by themselves. Their clients reconnect."""
        self._closing = True
        for task in self._endless:
            task.cancel()

    async def __call__(self, incoming: BaseRequest) -> web.StreamResponse:
        """One request."""
        audit_id = incoming.headers.get("Audit-ID") or str(uuid.UUID(int=self._random.getrandbits(128), version=4))
        answer = await self._answer(incoming)
        if isinstance(answer, Response):
            return await self._whole(incoming, answer, {**answer.headers, "audit-id": audit_id})
        task = asyncio.current_task()
        assert task is not None
        self._endless.add(task)
        try:
            if isinstance(answer, Tunnel):
                return await self._tunnel(incoming, answer)
            return await self._stream(incoming, answer, {**answer.headers, "audit-id": audit_id})
        finally:
            self._endless.discard(task)

    async def _whole(self, incoming: BaseRequest, answer: Response, headers: dict[str, str]) -> web.StreamResponse:
        body = answer.body
        if len(body) > self._config.gzip_above and _takes_gzip(incoming):
            headers["content-encoding"], headers["vary"] = "gzip", "Accept-Encoding"
            body = await asyncio.to_thread(_gzip, body)
        return web.Response(status=answer.status, headers=headers, body=body)

    async def _answer(self, incoming: BaseRequest) -> Response | StreamResponse | Tunnel:
        try:
            body = await self._body(incoming)
            headers = _headers(incoming)
            user = await self._authenticate(incoming, headers)
            request = _request(incoming, headers, body)
        except ApiError as error:
            return refusal(error)
        return await self._server.handle(request, user)

    async def _body(self, incoming: BaseRequest) -> bytes:
        if not incoming.body_exists:
            return b""
        limit = self._config.max_body
        # Many clients read no response before they have sent the body: read and drop it for LINGER_SECONDS.
        if (incoming.content_length or 0) > limit:
            raise errors.too_large(limit)
        try:
            async with asyncio.timeout(self._config.request_seconds):
                return await incoming.read()
        except web.HTTPRequestEntityTooLarge as error:
            raise errors.too_large(limit) from error
        except TimeoutError as error:
            raise errors.timeout("request did not complete within the allotted timeout") from error

    async def _authenticate(self, incoming: BaseRequest, headers: Mapping[str, str]) -> User:
        user = await self._server.authenticator.authenticate(headers, _peer(incoming))
        if user is not None:
            return user
        if not self._config.anonymous:
            raise errors.unauthorized()
        return ANONYMOUS

    async def _stream(
        self, incoming: BaseRequest, answer: StreamResponse, headers: dict[str, str]
    ) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=headers)
        try:
            await self._copy(incoming, answer, response)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if not self._closing or task is None or not response.prepared:
                raise
            # The server is shutting down, not the client: finish the response properly.
            task.uncancel()
        return response

    async def _copy(self, incoming: BaseRequest, answer: StreamResponse, response: web.StreamResponse) -> None:
        async with aclosing(answer.body) as body:
            if self._closing:
                return
            await response.prepare(incoming)
            async for chunk in body:
                try:
                    async with asyncio.timeout(WRITE_SECONDS):
                        await response.write(chunk)
                except TimeoutError:
                    if incoming.transport is not None:
                        incoming.transport.abort()
                    break
                except ConnectionError:
                    break

    async def _tunnel(self, incoming: BaseRequest, answer: Tunnel) -> web.StreamResponse:
        try:
            await tunnel.run(incoming, answer)
        except (OSError, TimeoutError) as error:
            refused = refusal(errors.bad_gateway(f"dial {answer.host}:{answer.port}: {error or type(error).__name__}"))
            return web.Response(status=refused.status, headers=refused.headers, body=refused.body)
        incoming.protocol.force_close()
        return _Taken()


class _Taken(web.StreamResponse):
    """The response to a request whose connection has become a tunnel: nothing is written."""

    async def prepare(self, request: BaseRequest) -> None:
        """The tunnel sends the bytes of the other side."""

    async def write_eof(self, data: bytes = b"") -> None:
        """The tunnel ends by itself."""


def _takes_gzip(incoming: BaseRequest) -> bool:
    return "gzip" in incoming.headers.get("Accept-Encoding", "")


def _gzip(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def _headers(incoming: BaseRequest) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in incoming.headers.items():
        name = name.lower()
        found[name] = f"{found[name]}{REPEAT}{value}" if name in found else value
    return found


def _request(incoming: BaseRequest, headers: Mapping[str, str], body: bytes) -> Request:
    raw_path, _, raw_query = incoming.raw_path.partition("?")
    try:
        path = unquote(raw_path, errors="strict") if "%" in raw_path else raw_path
        query = tuple(parse_qsl(raw_query, keep_blank_values=True, errors="strict")) if raw_query else ()
    except (UnicodeDecodeError, ValueError) as error:
        raise errors.bad_request(f"the request URL cannot be decoded: {error}") from error
    return Request(method=incoming.method, path=path, query=query, headers=headers, body=body)


def _peer(incoming: BaseRequest) -> x509.Certificate | None:
    connection = incoming.protocol
    assert isinstance(connection, _Connection)
    if not connection.peer_read:
        connection.peer_read = True
        tls = incoming.transport.get_extra_info("ssl_object") if incoming.transport is not None else None
        der = tls.getpeercert(binary_form=True) if tls is not None else None
        connection.peer = x509.load_der_x509_certificate(der) if der else None
    return connection.peer


class Listening:
    """A listening server. `port` is the actual port if 0 was requested."""

    def __init__(self, requests: Front, front: _Server, listeners: Sequence[asyncio.Server]) -> None:
        self._requests = requests
        self._front = front
        self._listeners = listeners

    @property
    def port(self) -> int:
        """The port of the first address."""
        return int(self._listeners[0].sockets[0].getsockname()[1])

    async def close(self, timeout: float = 0.5) -> None:
        """Stop listening, end watches, give other requests `timeout` seconds, then close all connections."""
        for listener in self._listeners:
            listener.close()
        self._requests.end_streams()
        self._front.pre_shutdown()
        await self._front.shutdown(timeout)


async def serve_https(server: ApiServer, hosts: Sequence[str] | str, port: int, tls: TlsFiles | None) -> Listening:
    """Listen on every host. `tls=None` serves plain HTTP, for benchmarks and behind a proxy that terminates TLS."""
    loop = asyncio.get_running_loop()
    limit = server.context.config.max_body

    def factory(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> BaseRequest:
        return BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=limit)

    requests = Front(server)
    front = _Server(
        requests,
        request_factory=factory,
        handler_cancellation=True,
        keepalive_timeout=KEEPALIVE_SECONDS,
        lingering_time=LINGER_SECONDS,
        access_log=None,
        max_field_size=65536,
        max_line_size=65536,
    )
    context = tls.context() if tls is not None else None
    extra: dict[str, Any] = {"ssl_handshake_timeout": 10.0} if context is not None else {}
    listeners = [
        await loop.create_server(front, host, port, ssl=context, backlog=1024, reuse_address=True, **extra)
        for host in ([hosts] if isinstance(hosts, str) else hosts)
    ]
    return Listening(requests, front, listeners)
