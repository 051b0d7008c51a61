"""Requests over HTTPS: one pool of connections, TLS and credentials from a kubeconfig."""

import asyncio
import ssl
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from yarl import URL

from pybernetes.client.client import refuse
from pybernetes.client.errors import Unreachable
from pybernetes.client.transport import Request, Response

#: A watch sends at least a bookmark a minute; silence for longer means that the connection is dead.
_WATCH_SILENCE = 150.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a server is and how to speak to it. Either a client certificate or a token says who asks."""

    server: str
    """`https://host:port`"""
    ca_file: Path | None = None
    ca_data: bytes = field(default=b"", repr=False)
    cert_file: Path | None = None
    key_file: Path | None = None
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    """Read anew when it changes: projected tokens are rotated in place."""
    insecure_skip_tls_verify: bool = False

    def ssl_context(self) -> ssl.SSLContext | bool:
        """The TLS settings; True for plain HTTP."""
        if not self.server.startswith("https://"):
            return True
        context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
        if self.ca_file or self.ca_data:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.load_verify_locations(
                cafile=str(self.ca_file) if self.ca_file else None, cadata=self.ca_data.decode() or None
            )
        if self.insecure_skip_tls_verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.cert_file and self.key_file:
            context.load_cert_chain(self.cert_file, self.key_file)
        return context


class _TokenFile:
    """A token that may be replaced on disk at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mtime = 0
        self._token = ""

    def read(self) -> str:
        """The present token; read again only when the file has changed."""
        mtime = self._path.stat().st_mtime_ns
        if mtime != self._mtime:
            self._token, self._mtime = self._path.read_text().strip(), mtime
        return self._token


class HttpTransport:
    """A `Transport` over HTTPS."""

    def __init__(self, endpoint: Endpoint, *, user_agent: str = "pybernetes", timeout: float = 60.0) -> None:
        self._base = URL(endpoint.server)
        self._endpoint = endpoint
        self._agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=5)
        self._stream_timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=_WATCH_SILENCE)
        self._token_file = _TokenFile(endpoint.token_file) if endpoint.token_file else None
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._endpoint.ssl_context(), limit=0, keepalive_timeout=60)
            self._session = aiohttp.ClientSession(
                connector=connector, auto_decompress=True, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {**request.headers, "user-agent": self._agent}
        token = self._token_file.read() if self._token_file else self._endpoint.token
        if token:
            headers["authorization"] = f"Bearer {token}"
        return headers

    def _url(self, request: Request) -> URL:
        return self._base.with_path(request.path).with_query(list(request.query))

    async def request(self, request: Request) -> Response:
        """Send a request and read the whole answer."""
        try:
            async with self._open().request(
                request.method,
                self._url(request),
                data=request.body or None,
                headers=self._headers(request),
                timeout=self._timeout,
            ) as answer:
                body = await answer.read()
                return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Send a watch request; yields batches of JSON lines."""
        try:
            async with self._open().request(
                request.method,
                self._url(request),
                headers=self._headers(request),
                timeout=self._stream_timeout,
                read_bufsize=2**20,
            ) as answer:
                if answer.status != 200:
                    refuse(Response(answer.status, {}, await answer.read()))
                rest = b""
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    if lines:
                        yield [line for line in lines if line]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> Unreachable:
        return Unreachable(f"no answer from {self._base.origin()}: {error or type(error).__name__}")

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # aiohttp closes TLS transports in the next turn of the loop.
            await asyncio.sleep(0)
