"""How a request reaches an API server: over HTTPS, or directly, in the same process.

Both transports take the same `Request`. The in-process one enters the server after authentication, as a fixed user.
"""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One API request. `path` is decoded and starts with `/`; `query` keeps order and repeated keys."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport(Protocol):
    """Raises `errors.Unreachable` when there is no answer; an error status (4xx, 5xx) is a `Response`."""

    async def request(self, request: Request) -> Response:
        """Send a request and read the complete answer."""

    def stream(self, request: Request) -> AsyncGenerator[list[bytes], None]:
        """Send a watch request; yields batches of JSON lines as they arrive, until the server ends it.

        An error status raises `errors.ApiError`. Closing the generator ends the request.
        """

    async def close(self) -> None:
        """Close all connections."""
