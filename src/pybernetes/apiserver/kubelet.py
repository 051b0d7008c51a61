"""How the server reaches nodes: their addresses, forwarded requests, and tunnels for exec, attach and port-forward.

The server authenticates to kubelets with a client certificate. Responses of kubelets are forwarded as they are.
"""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from pybernetes.api.core.node import KIND as NODE
from pybernetes.api.core.node import Node
from pybernetes.apiserver import codec, errors
from pybernetes.apiserver.context import ServerContext
from pybernetes.apiserver.types import StreamResponse, Tunnel

DEFAULT_PORT = 10250
CONNECT_SECONDS = 10.0

#: Headers that apply to one connection only; and credentials, which must not leave the server.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "host",
        "content-length",
        "authorization",
        "accept-encoding",
    }
)


class Nodes:
    """Connections to nodes and to what runs on them."""

    def __init__(self, context: ServerContext) -> None:
        self._context = context
        self._session: aiohttp.ClientSession | None = None
        self._tls: ssl.SSLContext | None = None

    def kubelet(self, name: str) -> tuple[str, int]:
        """Address and port of a node's kubelet. Raises NotFound, or ServerError for a node without an address."""
        kv = self._context.store.get(NODE.key("", name))
        if kv is None:
            raise errors.not_found(NODE, name)
        status = codec.decode(kv.value, Node).status
        client = self._context.config.kubelet_client
        wanted = client.address_types if client is not None else ("InternalIP", "ExternalIP", "Hostname")
        for kind in wanted:
            for address in status.addresses:
                if address.type == kind and address.address:
                    endpoint = status.daemon_endpoints.kubelet_endpoint if status.daemon_endpoints else None
                    return address.address, (endpoint.port if endpoint else 0) or DEFAULT_PORT
        raise errors.internal(f"no preferred addresses found; known addresses: {[a.type for a in status.addresses]}")

    def tls(self) -> ssl.SSLContext:
        """The TLS settings for connections to kubelets. Raises ServerError if the server has no client certificate."""
        if self._tls is None:
            client = self._context.config.kubelet_client
            if client is None:
                raise errors.unavailable("the server has no client certificate for kubelets")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            if client.ca:
                context.load_verify_locations(client.ca)
            else:
                context.verify_mode = ssl.CERT_NONE
            context.load_cert_chain(client.certificate, client.key)
            self._tls = context
        return self._tls

    def _client(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            self._session = aiohttp.ClientSession(
                timeout=timeout, auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def forward(
        self, method: str, url: URL, headers: Mapping[str, str], body: bytes, tls: ssl.SSLContext | None
    ) -> StreamResponse:
        """Forward a request and stream the response. Raises ServerError if the target can't be reached."""
        sent = {name: value for name, value in headers.items() if name not in _HOP_BY_HOP}
        try:
            response = await self._client().request(
                method, url, headers=sent, data=body or None, ssl=tls or False, allow_redirects=False
            )
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise errors.bad_gateway(str(error) or type(error).__name__) from error
        kept = {k.lower(): v for k, v in response.headers.items() if k.lower() not in _HOP_BY_HOP}
        return StreamResponse(response.status, kept, _body(response))

    def tunnel(
        self, host: str, port: int, target: str, headers: Mapping[str, str], tls: ssl.SSLContext | None, method: str
    ) -> Tunnel:
        """Forward an upgrade. `target` is the encoded path with its query."""
        lines = [f"{method} {target} HTTP/1.1", f"Host: {_bracketed(host)}:{port}"]
        lines += [f"Connection: Upgrade\r\nUpgrade: {headers['upgrade']}"]
        for name, value in headers.items():
            if name not in _HOP_BY_HOP:
                lines += [f"{name}: {part}" for part in value.split("\n")]
        head = "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")
        return Tunnel(host, port, tls, head)


async def _body(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    try:
        async for chunk in response.content.iter_any():
            yield chunk
    except (aiohttp.ClientError, asyncio.IncompleteReadError, ConnectionError):
        return  # The target closed the connection; everything received so far has been forwarded.
    finally:
        response.close()


def is_upgrade(headers: Mapping[str, str]) -> bool:
    """Whether a request asks for an upgrade of the connection."""
    return "upgrade" in headers.get("connection", "").lower() and bool(headers.get("upgrade"))


def path_of(*parts: str) -> str:
    """An encoded path of these segments."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def with_query(path: str, query: list[tuple[str, str]]) -> str:
    """The path with a query, if there is one."""
    return f"{path}?{urlencode(query)}" if query else path


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def url_of(scheme: str, host: str, port: int, target: str) -> URL:
    """A URL of an already encoded path and query."""
    return URL(f"{scheme}://{_bracketed(host)}:{port}{target}", encoded=True)
