"""The transport of components in the server's own process: requests enter after authentication, without HTTP."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from pybernetes.apiserver import errors
from pybernetes.apiserver.types import Handler, StreamResponse, Tunnel, User
from pybernetes.client.decoding import raise_for_status
from pybernetes.client.transport import Request, Response


class InProcessTransport:
    """A `client.transport.Transport` to a server in this process, as a fixed user."""

    def __init__(self, handler: Handler, user: User) -> None:
        self._handler = handler
        self._user = user

    async def request(self, request: Request) -> Response:
        """Send a request and read the complete response."""
        answer = await self._handler.handle(request, self._user)
        if isinstance(answer, Response):
            return answer
        if isinstance(answer, Tunnel):
            raise errors.bad_request("a connection can only be upgraded over HTTPS")
        async with aclosing(answer.body) as body:
            return Response(answer.status, answer.headers, b"".join([chunk async for chunk in body]))

    async def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Batches of lines of a watch."""
        answer = await self._handler.handle(request, self._user)
        if isinstance(answer, Tunnel):
            raise errors.bad_request("a connection can only be upgraded over HTTPS")
        if not isinstance(answer, StreamResponse):
            raise_for_status(answer)
            yield [line for line in answer.body.split(b"\n") if line]
            return
        async with aclosing(answer.body) as body:
            async for chunk in body:
                yield [line for line in chunk.split(b"\n") if line]

    async def close(self) -> None:
        """There are no connections to close."""
