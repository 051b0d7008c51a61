"""Calls over one gRPC connection to a runtime. Converts gRPC errors to the kubelet's.

Only this module and the gRPC probe import `grpc`, and only when they connect.
"""

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any

from pybernetes.kubelet.runtime import CommandTimedOut, NoSuch, RuntimeFailure, RuntimeRefused, RuntimeUnavailable

if TYPE_CHECKING:
    import grpc
    import grpc.aio

_OPTIONS = (
    ("grpc.max_receive_message_length", 16 << 20),
    ("grpc.enable_http_proxy", 0),
    # A restarting runtime is back within a second; the default back-off would delay the reconnection for minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)
CALL_TIMEOUT = 120.0


class Channel:
    """A connection to a Unix socket, which reconnects by itself."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._channel: grpc.aio.Channel | None = None
        self._calls: dict[str, Any] = {}

    def _open(self) -> "grpc.aio.Channel":
        if self._channel is None:
            from grpc import aio

            self._channel = aio.insecure_channel(f"unix:{self._socket}", options=list(_OPTIONS))
        return self._channel

    async def call(self, method: str, request: Any, answer: type[Any], timeout: float | None = CALL_TIMEOUT) -> Any:
        """A unary call. `method` is for example `/runtime.v1.RuntimeService/Version`."""
        channel = self._open()
        from grpc import RpcError

        known = self._calls.get(method)
        if known is None:
            known = self._calls[method] = channel.unary_unary(method, request_serializer=_serialize)
        try:
            data = await known(request, timeout=timeout)
        except RpcError as error:
            raise _failure(error, self._socket) from error
        return _parse(answer, data, method)

    async def stream(
        self, method: str, request: Any, answer: type[Any], metadata: tuple[tuple[str, str], ...] = ()
    ) -> AsyncGenerator[Any, None]:
        """A streaming call: one request, responses until either side ends it."""
        channel = self._open()
        from grpc import RpcError

        call = channel.unary_stream(method, request_serializer=_serialize)
        running = call(request, metadata=metadata)
        try:
            async for data in running:
                yield _parse(answer, data, method)
        except RpcError as error:
            raise _failure(error, self._socket) from error
        finally:
            running.cancel()

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close()
            self._channel = None
            self._calls.clear()


def _parse(answer: type[Any], data: bytes, method: str) -> Any:
    """Decode a response. gRPC itself would return None for a malformed one."""
    from pybernetes.kubelet.criapi.errors import DecodeError

    try:
        return answer.FromString(data)
    except DecodeError as error:
        raise RuntimeRefused(f"the runtime's response to {method} is malformed") from error


def _serialize(message: Any) -> bytes:
    return bytes(message.SerializeToString())


def _failure(error: "grpc.RpcError", socket: str) -> RuntimeFailure:
    from grpc import StatusCode

    code, text = error.code(), error.details() or ""
    if code == StatusCode.NOT_FOUND:
        return NoSuch(text)
    if code in (StatusCode.UNAVAILABLE, StatusCode.CANCELLED):
        return RuntimeUnavailable(f"container runtime at {socket} does not answer: {text}")
    if code == StatusCode.DEADLINE_EXCEEDED:
        return CommandTimedOut(text)
    return RuntimeRefused(text)
