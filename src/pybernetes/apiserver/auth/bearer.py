"""Bearer tokens in requests, and the contract of whatever recognizes one."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pybernetes.apiserver.types import User

WEBSOCKET_PREFIX = "base64url.bearer.authorization.k8s.io."
"""Browsers can't set headers on a WebSocket: the token comes as the name of a subprotocol."""

MAX_TOKEN = 64 * 1024


@dataclass(frozen=True, slots=True)
class Recognized:
    """A good token: whose it is, and for which of the audiences asked about it is meant."""

    user: User
    audiences: tuple[str, ...] = ()


class TokenAuthenticator(Protocol):
    """Recognizes one sort of token. Raises `InvalidToken` for a token of its sort that is not good."""

    async def recognize(self, token: str, audiences: Sequence[str]) -> Recognized | None:
        """None when the token is of another sort; no audiences means the API server's own."""


class InvalidToken(Exception):
    """The token is expired, forged, revoked or meant for somebody else; the text says which."""


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
