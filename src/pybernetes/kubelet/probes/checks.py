"""The checks of probes: HTTP, TCP, gRPC. They connect from the node's network namespace."""

import asyncio
import ssl
import time
from dataclasses import dataclass

from pybernetes.api.core.probe import GRPCAction, HTTPGetAction, TCPSocketAction
from pybernetes.api.meta import IntOrString
from pybernetes.kubelet.podspec import AnyContainer

_MAX_BODY = 10 * 1024


@dataclass(frozen=True, slots=True)
class Result:
    """Whether a check succeeded, and its output."""

    ok: bool
    output: str = ""


class UnknownPort(ValueError):
    """The probe names a port that the container does not declare."""


def port_number(port: IntOrString, container: AnyContainer) -> int:
    """The number of a port that is given by number or name; raises UnknownPort."""
    if isinstance(port, int):
        return port
    for known in container.ports:
        if known.name == port:
            return known.container_port
    if port.isdigit():
        return int(port)
    raise UnknownPort(f"couldn't find port {port!r} in container {container.name}")


async def http_get(action: HTTPGetAction, container: AnyContainer, ip: str, timeout: float) -> Result:
    """Succeeds for status codes 200 to 399. Redirects are not followed."""
    host = action.host or ip
    secure = action.scheme.upper() == "HTTPS"
    try:
        port = port_number(action.port, container)
    except UnknownPort as error:
        return Result(False, str(error))
    path = action.path if action.path.startswith("/") else "/" + action.path
    shown = f"[{host}]" if ":" in host else host
    url = f"{'https' if secure else 'http'}://{shown}:{port}{path}"
    headers = {header.name.lower(): (header.name, header.value) for header in action.http_headers}
    headers.setdefault("user-agent", ("User-Agent", "kube-probe/1.33"))
    headers.setdefault("accept", ("Accept", "*/*"))
    headers.setdefault("host", ("Host", f"{shown}:{port}"))
    lines = [f"GET {path} HTTP/1.1", *(f"{n}: {v}" for n, v in headers.values() if v), "Connection: close"]
    try:
        async with asyncio.timeout(timeout):
            status, body = await _exchange(host, port, secure, "\r\n".join(lines) + "\r\n\r\n")
    except TimeoutError:
        return Result(False, f'Get "{url}": context deadline exceeded (Client.Timeout exceeded while awaiting headers)')
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        return Result(False, f'Get "{url}": {_why(error, host, port)}')
    if 200 <= status < 400:
        return Result(True, body)
    return Result(False, f"HTTP probe failed with statuscode: {status}")


async def _exchange(host: str, port: int, secure: bool, request: str) -> tuple[int, str]:
    context: ssl.SSLContext | None = None
    if secure:
        # Like kubelet, do not verify the container's certificate.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=64 * 1024)
    try:
        writer.write(request.encode())
        await writer.drain()
        first = (await reader.readline()).split(None, 2)
        if len(first) < 2 or not first[0].startswith(b"HTTP/") or not first[1].isdigit():
            raise ValueError("malformed HTTP response")
        while (await reader.readline()).strip():
            pass
        body = await reader.read(_MAX_BODY)
        return int(first[1]), body.decode(errors="replace")
    finally:
        writer.close()


def _why(error: Exception, host: str, port: int) -> str:
    shown = f"[{host}]" if ":" in host else host
    if isinstance(error, ConnectionRefusedError):
        return f"dial tcp {shown}:{port}: connect: connection refused"
    if isinstance(error, asyncio.IncompleteReadError) or not str(error):
        return "EOF"
    return str(error)


async def tcp_socket(action: TCPSocketAction, container: AnyContainer, ip: str, timeout: float) -> Result:
    """Succeeds if the connection opens."""
    host = action.host or ip
    try:
        port = port_number(action.port, container)
    except UnknownPort as error:
        return Result(False, str(error))
    try:
        async with asyncio.timeout(timeout):
            _, writer = await asyncio.open_connection(host, port)
    except TimeoutError:
        return Result(False, f"dial tcp {host}:{port}: i/o timeout")
    except (OSError, ValueError) as error:
        return Result(False, _why(error, host, port))
    writer.close()
    return Result(True)


async def grpc_health(action: GRPCAction, ip: str, timeout: float) -> Result:
    """Succeeds if grpc.health.v1.Health/Check returns SERVING."""
    from grpc import RpcError, StatusCode, aio

    shown = f"[{ip}]" if ":" in ip else ip
    # grpc.health.v1: field 1 of the request is the service's name; field 1 of the response its status, 1 for SERVING.
    name = action.service.encode()
    request = b"\x0a" + _varint(len(name)) + name if name else b""
    began = time.monotonic()
    async with aio.insecure_channel(f"{shown}:{action.port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check")
        try:
            answer = await call(request, timeout=max(timeout - (time.monotonic() - began), 0.01))
        except RpcError as error:
            code = error.code()
            if code == StatusCode.UNIMPLEMENTED:
                return Result(False, f"error: this server does not implement the grpc health protocol ({code.name})")
            if code == StatusCode.DEADLINE_EXCEEDED:
                return Result(False, f'timeout: failed to connect service "{shown}:{action.port}" within {timeout:g}s')
            return Result(False, f"error: health rpc failed: {error.details()}")
    if answer == b"\x08\x01":
        return Result(True, "service healthy")
    state = {b"": "UNKNOWN", b"\x08\x02": "NOT_SERVING", b"\x08\x03": "SERVICE_UNKNOWN"}.get(answer, "UNKNOWN")
    return Result(False, f'service unhealthy (responded with "{state}")')


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
