"""How simulated nodes reach the API server: over one administrator's connection pool, each as its own user."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

from pybernetes.client.transport import Request, Response, Transport


class NodeTransport:
    """A `Transport` that impersonates a node. All nodes share `slots`, which limits concurrent requests."""

    def __init__(self, inner: Transport, node: str, slots: asyncio.Semaphore) -> None:
        self._inner = inner
        self._slots = slots
        self._who = {"impersonate-user": f"system:node:{node}", "impersonate-group": "system:nodes"}

    def _as_node(self, request: Request) -> Request:
        return replace(request, headers={**request.headers, **self._who})

    async def request(self, request: Request) -> Response:
        """Send a request as the node once a slot is free."""
        async with self._slots:
            return await self._inner.request(self._as_node(request))

    def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Watch as the node."""
        return self._inner.stream(self._as_node(request))

    async def close(self) -> None:
        """Do nothing: the owner of the inner transport closes it."""
