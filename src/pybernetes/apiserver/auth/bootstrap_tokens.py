"""Bootstrap tokens (`abcdef.0123456789abcdef`): short-lived Secrets in kube-system that new nodes join with."""

import base64
import binascii
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime

from pybernetes.api.core.secret import Secret
from pybernetes.apiserver.auth.bearer import InvalidToken, Recognized
from pybernetes.apiserver.types import User

TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
SECRET_TYPE = "bootstrap.kubernetes.io/token"
GROUP = re.compile(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]")

FindSecret = Callable[[str, str], Awaitable[Secret | None]]
"""(namespace, name) -> secret"""


class BootstrapTokens:
    """Authenticates tokens that are stored in Secrets named `bootstrap-token-<id>`."""

    def __init__(self, *, find_secret: FindSecret, clock: Callable[[], float]) -> None:
        self._find_secret = find_secret
        self._clock = clock

    async def recognize(self, token: str, audiences: Sequence[str]) -> Recognized | None:
        """None if the token does not have the format of a bootstrap token."""
        match = TOKEN.fullmatch(token)
        if match is None:
            return None
        token_id, token_secret = match.groups()
        secret = await self._find_secret("kube-system", f"bootstrap-token-{token_id}")
        if secret is None or secret.type != SECRET_TYPE or secret.metadata.deletion_timestamp:
            raise InvalidToken("there is no such bootstrap token")
        data = _decoded(secret.data)
        if not hmac.compare_digest(data.get("token-secret", "").encode(), token_secret.encode()):
            raise InvalidToken("there is no such bootstrap token")
        if data.get("token-id") != token_id or data.get("usage-bootstrap-authentication") != "true":
            raise InvalidToken("the bootstrap token is not meant for authentication")
        if self._expired(data.get("expiration", "")):
            raise InvalidToken("the bootstrap token has expired")
        extra = [g for g in data.get("auth-extra-groups", "").split(",") if GROUP.fullmatch(g)]
        user = User(f"system:bootstrap:{token_id}", ("system:bootstrappers", *extra))
        return Recognized(user, tuple(audiences))

    def _expired(self, expiration: str) -> bool:
        if not expiration:
            return False
        try:
            return datetime.fromisoformat(expiration).timestamp() <= self._clock()
        except ValueError:
            return True


def _decoded(data: Mapping[str, str]) -> dict[str, str]:
    """The Secret's values as text; a value that is not base64 or not text is empty."""
    values = {}
    for key, value in data.items():
        try:
            values[key] = base64.b64decode(value).decode()
        except (binascii.Error, ValueError):
            values[key] = ""
    return values
