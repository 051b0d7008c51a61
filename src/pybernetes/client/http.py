"""Requests over HTTPS: a pool of connections, with TLS and credentials from a kubeconfig."""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator

import aiohttp
from yarl import URL

from pybernetes.client.decoding import raise_for_status
from pybernetes.client.endpoint import Endpoint, TokenFile
from pybernetes.client.errors import BadAnswer, Unreachable
from pybernetes.client.transport import Request, Response

__all__ = ["Endpoint", "HttpTransport"]

#: A watch sends at least a bookmark a minute; silence for longer means that the connection is dead.
_WATCH_SILENCE = 150.0
#: TCP keep-alive detects a dead machine, or a network that drops everything, within half a minute: after 15 idle
#: seconds the kernel probes its peer every 5 seconds, and gives up after 3 probes.
_PROBES = {socket.TCP_KEEPIDLE: 15, socket.TCP_KEEPINTVL: 5, socket.TCP_KEEPCNT: 3}


class HttpTransport:
    """A `Transport` over HTTPS."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        user_agent: str = "pybernetes",
        timeout: float = 60.0,
        silence: float = _WATCH_SILENCE,
    ) -> None:
        """`timeout`: seconds that an answer may take; `silence`: seconds after which a silent watch counts as dead."""
        self._base = URL(endpoint.server)
        self._prefix = self._base.path.rstrip("/")
        self._endpoint = endpoint
        self._agent = user_agent
        self._timeout = aiohttp.ClientTimeout(total=timeout, sock_connect=5)
        self._stream_timeout = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=silence)
        self._token_file = TokenFile(endpoint.token_file) if endpoint.token_file else None
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
        return self._base.with_path(self._prefix + request.path).with_query(list(request.query))

    async def request(self, request: Request) -> Response:
        """Send a request and read the complete answer."""
        try:
            async with self._open().request(
                request.method,
                self._url(request),
                data=request.body or None,
                headers=self._headers(request),
                timeout=self._timeout,
                allow_redirects=False,
            ) as answer:
                body = await answer.read()
                return _response(answer, body)
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
                allow_redirects=False,
                read_bufsize=2**20,
            ) as answer:
                if answer.status != 200:
                    raise_for_status(_response(answer, await answer.read()))
                    raise BadAnswer(f"{self._base.origin()} answered {answer.status} to a watch")
                _probe(answer)
                rest = b""
                async for chunk in answer.content.iter_any():
                    *lines, rest = (rest + chunk).split(b"\n")
                    if lines:
                        yield [line for line in lines if line]
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: BaseException) -> Unreachable:
        return Unreachable(f"no answer from {self._base.origin()}: {_explain(error)}")

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None
            # aiohttp closes TLS transports in the next iteration of the loop.
            await asyncio.sleep(0)


def _probe(answer: aiohttp.ClientResponse) -> None:
    """Enable TCP keep-alive on the connection of a watch, which may be idle for long."""
    transport = answer.connection.transport if answer.connection else None
    connection = transport.get_extra_info("socket") if transport else None
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _PROBES.items():
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _response(answer: aiohttp.ClientResponse, body: bytes) -> Response:
    return Response(answer.status, {k.lower(): v for k, v in answer.headers.items()}, body)


def _explain(error: BaseException) -> str:
    """What happened, and how to fix it where that is known."""
    match error:
        case aiohttp.ClientConnectorCertificateError():
            cause = error.certificate_error
            reason = getattr(cause, "verify_message", "") or str(cause)
            return f"its certificate is not trusted ({reason}): is the CA of the kubeconfig this cluster's?"
        case aiohttp.ClientConnectorSSLError():
            reason = getattr(error.os_error, "reason", "") or str(error.os_error)
            return f"TLS failed ({reason}): does this port speak HTTPS?"
        case aiohttp.ClientConnectorError():
            # strerror is clearer than the event loop's message, "Connect call failed".
            number = error.os_error.errno or 0
            return os.strerror(number) if number > 0 else error.os_error.strerror or str(error.os_error)
        case TimeoutError():
            return "timed out"
    return str(error) or type(error).__name__
