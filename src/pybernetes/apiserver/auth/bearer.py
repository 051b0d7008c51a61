"""Bearer tokens in requests, and the contract of token authenticators."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pybernetes.apiserver.types import User

WEBSOCKET_PREFIX = "base64url.bearer.authorization.k8s.io."
"""Browsers can't set headers on a WebSocket, so they send the token as the name of a subprotocol."""

MAX_TOKEN = 64 * 1024


@dataclass(frozen=True, slots=True)
class Recognized:
    """A valid token: its user, and those of the requested audiences that it is for."""

    user: User
    audiences: tuple[str, ...] = ()


class TokenAuthenticator(Protocol):
    """Authenticates one sort of token."""

    async def recognize(self, token: str, audiences: Sequence[str]) -> Recognized | None:
        """None if the token is of another sort. No audiences: the API server's own. Raises InvalidToken."""


class InvalidToken(Exception):
    """The token is expired, forged, revoked or for other audiences; the text says which."""


def bearer_token(headers: Mapping[str, str]) -> str:
    """The token of a request, or ""."""
    scheme, _, token = headers.get("authorization", "").strip().partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    for protocol in headers.get("sec-websocket-protocol", "").split(","):
        name = protocol.strip()
        if name.startswith(WEBSOCKET_PREFIX):
            return _decoded(name.removeprefix(WEBSOCKET_PREFIX))
    return ""


def _decoded(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return ""
