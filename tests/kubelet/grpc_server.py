"""A gRPC server that sends the same response to every call."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc


class FixedResponse(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Sends the same bytes in response to every call."""

    def __init__(self, response: bytes) -> None:
        self._response = response

    def service(self, details: Any) -> Any:
        async def handle(request: bytes, context: Any) -> bytes:
            return self._response

        return grpc.unary_unary_rpc_method_handler(handle)


@asynccontextmanager
async def grpc_server(where: str, response: bytes) -> AsyncIterator[int]:
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((FixedResponse(response),))
    port = server.add_insecure_port(where)
    await server.start()
    yield port
    await server.stop(None)
