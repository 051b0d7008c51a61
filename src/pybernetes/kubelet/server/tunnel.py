"""Passes a client's upgraded connection (SPDY or WebSocket) through to the runtime's streaming server."""

import asyncio
from urllib.parse import urlsplit

from pybernetes.kubelet.server.http import Request

_BLOCK = 64 * 1024
# Protocols that runtimes older than containerd 1.7 do not support: v5 adds a message that closes one stream, and
# port-forwarding over WebSocket wraps SPDY. kubectl falls back to SPDY if the upgrade is refused.
_TOO_NEW = ("v5.channel.k8s.io", "SPDY/3.1+portforward.k8s.io", "v2.portforward.k8s.io")
_DROPPED = ("host", "authorization", "content-length", "accept-encoding")


class UpgradeRefused(Exception):
    """The client requests a protocol that the runtime does not support."""


def check_upgrade(request: Request) -> None:
    """Raise UpgradeRefused unless the runtime supports a protocol that the client offers."""
    if request.headers.get("upgrade", "").lower() == "websocket":
        offered = [p.strip() for p in request.headers.get("sec-websocket-protocol", "").split(",") if p.strip()]
        if offered and all(protocol in _TOO_NEW for protocol in offered):
            raise UpgradeRefused(f"unable to upgrade: {', '.join(offered)} is not supported; use SPDY")
    elif "upgrade" not in request.headers:
        raise UpgradeRefused("Upgrade request required")


async def tunnel(url: str, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send the client's request to `url` and copy bytes in both directions until the runtime closes."""
    parts = urlsplit(url)
    up_reader, up_writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        up_writer.write(upstream_head(request, target, parts.netloc))
        await up_writer.drain()
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, up_writer), name="tunnel to runtime")
            await _pump(up_reader, writer)
            # The runtime has closed its side; nothing reads what the client still sends.
            raise _Ended
    except* (_Ended, ConnectionError):
        pass
    finally:
        up_writer.close()


class _Ended(Exception):
    """Ends the copying in the other direction."""


def upstream_head(request: Request, target: str, host: str) -> bytes:
    """The head of the request to the runtime: with another path and without credentials. Pure."""
    protocols = request.headers.get("sec-websocket-protocol", "")
    lines = [f"{request.method} {target} HTTP/1.1", f"Host: {host}"]
    for name, value in request.lines:
        if name.lower() in _DROPPED:
            continue
        if name.lower() == "sec-websocket-protocol":
            kept = [p.strip() for p in protocols.split(",") if p.strip() not in _TOO_NEW]
            value = ", ".join(kept)
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while block := await source.read(_BLOCK):
            target.write(block)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
    except ConnectionError:
        return
