"""What flows through the stages of a request, and the contracts between them."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from ssl import SSLContext
from typing import Protocol

from cryptography.x509 import Certificate

from pybernetes.client.transport import Request, Response


@dataclass(frozen=True, slots=True)
class User:
    """Who asks."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))
SERVER = User("system:apiserver", ("system:masters", "system:authenticated"))
"""the server itself, when it writes on its own account"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What is asked, as authorization sees it. For a request that is not about a resource only verb and path count."""

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
    """An authorizer's answer: allowed, or not; `reason` says why."""

    allowed: bool
    reason: str = ""
    denied: bool = False
    """True when the authorizer is certain that nobody after it may allow the request."""


class Authenticator(Protocol):
    """Finds out who sends a request. None: no credentials of this kind. Raises `errors.Unauthorized` for bad ones."""

    async def authenticate(self, headers: Mapping[str, str], certificate: Certificate | None) -> User | None:
        """Header names come in lower case; the certificate is the peer's, chain and dates already verified by TLS."""


class Authorizer(Protocol):
    """Says whether a user may do something. Works from memory and never blocks."""

    def authorize(self, attributes: Attributes) -> Decision:
        """Allow or not."""


@dataclass(frozen=True, slots=True)
class StreamResponse:
    """An answer whose body comes bit by bit, such as a watch or a log."""

    status: int
    headers: Mapping[str, str]
    body: AsyncGenerator[bytes, None]


@dataclass(frozen=True, slots=True)
class Tunnel:
    """An answer that is somebody else's: from here on the connection's bytes go both ways, unread.

    `head` is the request to send there first, with its blank line; the first bytes that come back are the answer.
    """

    host: str
    port: int
    tls: SSLContext | None
    head: bytes


class Handler(Protocol):
    """A server as seen after authentication: the in-process transport and the HTTP front both call it."""

    async def handle(self, request: Request, user: User) -> Response | StreamResponse | Tunnel:
        """Answer one request; refusals are answers too (a Status body), never exceptions."""
