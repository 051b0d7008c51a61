"""A small HTTP server for each component: /healthz, /livez, /readyz and /metrics, for probes and Prometheus.

Every connection gets one response and is closed. With TLS files it serves HTTPS.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

from pybernetes.cluster.errors import ConfigError

Check = Callable[[], str]
"""Returns what is wrong, or ""."""

_SECONDS = 10.0
_HEALTH = ("/healthz", "/livez", "/readyz")
_TEXTS = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}


def answer(
    request_line: str, check: Check, metrics: Callable[[], bytes], ready: Check | None = None
) -> tuple[int, bytes]:
    """Status and body for a request. `ready` decides /readyz, if that differs from /healthz."""
    method, _, rest = request_line.partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if method not in ("GET", "HEAD"):
        return 405, b"only GET is possible\n"
    if path in _HEALTH:
        wrong = ready() if ready and path == "/readyz" else check()
        return (503, f"{wrong}\n".encode()) if wrong else (200, b"ok")
    if path == "/metrics":
        return 200, metrics()
    return 404, b"there are /healthz, /livez, /readyz and /metrics\n"


def process_metrics() -> bytes:
    """Memory, CPU time and open files of this process, in the format of Prometheus."""
    import prometheus_client

    return prometheus_client.generate_latest()


async def _serve(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Callable[[str], tuple[int, bytes]]
) -> None:
    try:
        async with asyncio.timeout(_SECONDS):
            head = await reader.readuntil(b"\r\n\r\n")
            status, body = reply(head.decode("latin-1").partition("\r\n")[0])
            lines = [
                f"HTTP/1.1 {status} {_TEXTS[status]}",
                "Content-Type: text/plain; charset=utf-8",
                f"Content-Length: {len(body)}",
                "Connection: close",
            ]
            writer.write("\r\n".join([*lines, "", ""]).encode() + (b"" if head.startswith(b"HEAD") else body))
            await writer.drain()
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass  # The client disconnected or does not speak HTTP.
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@asynccontextmanager
async def health(
    where: tuple[str, int],
    check: Check,
    *,
    flag: str,
    tls: ssl.SSLContext | None = None,
    ready: Check | None = None,
    metrics: Callable[[], bytes] = process_metrics,
) -> AsyncGenerator[None, None]:
    """Serve until the context exits; port 0 disables it. The error for a port in use names `flag`."""
    host, port = where
    if not port:
        yield
        return

    def reply(request_line: str) -> tuple[int, bytes]:
        return answer(request_line, check, metrics, ready)

    try:
        server = await asyncio.start_server(lambda r, w: _serve(r, w, reply), host, port, ssl=tls)
    except OSError as error:
        raise ConfigError(f"{flag}: cannot listen on {host}, port {port}: {error.strerror or error}") from error
    try:
        yield
    finally:
        server.close()
