"""What flows through the stages of a request, and the contracts between them."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Protocol

from cryptography.x509 import Certificate

from pybernetes.client.transport import Request, Response


@dataclass(frozen=True, slots=True)
class User:
    """The user of a request."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
SERVER = User("system:apiserver", ("system:masters", "system:authenticated"))
"""the server itself, when it writes on its own account"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What authorizers know of a request. For a path that is not a resource only verb and path are set."""

    user: User
    verb: str
    path: str = ""
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    is_resource: bool = True
    label_selector: str = ""
    field_selector: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """An authorizer's decision, with a reason."""

    allowed: bool
    reason: str = ""
    denied: bool = False
    """True if no other authorizer may allow the request."""


class Authenticator(Protocol):
    """Authenticates requests. None: no credentials of this kind. Raises `errors.Unauthorized` for invalid ones."""

    async def authenticate(self, headers: Mapping[str, str], certificate: Certificate | None) -> User | None:
        """Header names are in lower case. TLS has verified the chain and the dates of the client's certificate."""


class Authorizer(Protocol):
    """Decides whether a user may do something. Works from memory and never blocks."""

    def authorize(self, attributes: Attributes) -> Decision:
        """Decide about one request."""


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """A response whose body is streamed, such as a watch or a log."""

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class Tunnel:
    """A response that another server gives: from here on bytes are copied in both directions, unread.

    `head` is the request to send to that server, with its blank line. The bytes that come back are the response.
    """

    host: str
    port: int
    tls: SSLContext | None
    head: bytes


class Handler(Protocol):
    """A server after authentication. The in-process transport and the HTTP front end both call it."""

    async def handle(self, request: Request, user: User) -> Response | StreamResponse | Tunnel:
        """Handle one request. Errors are responses (with a Status body), never exceptions."""
