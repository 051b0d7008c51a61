"""Several authenticators or authorizers as one. The first that decides wins."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cryptography.x509 import Certificate

from pybernetes.apiserver import errors
from pybernetes.apiserver.auth.bearer import MAX_TOKEN, InvalidToken, Recognized, TokenAuthenticator, bearer_token
from pybernetes.apiserver.types import ANONYMOUS, Attributes, Authenticator, Authorizer, Decision, User

AUTHENTICATED = "system:authenticated"
MASTERS = "system:masters"


def authenticated(user: User) -> User:
    """The user with the group system:authenticated."""
    if AUTHENTICATED in user.groups or user.name == ANONYMOUS.name:
        return user
    return replace(user, groups=(*user.groups, AUTHENTICATED))


class TokenUnion:
    """Tries every token authenticator. A token that none of them accepts is invalid."""

    def __init__(self, authenticators: Sequence[TokenAuthenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def recognize(self, token: str, audiences: Sequence[str] = ()) -> Recognized | None:
        """Raises InvalidToken if an authenticator refuses the token and no other accepts it."""
        refusal: InvalidToken | None = None
        for authenticator in self._authenticators:
            try:
                found = await authenticator.recognize(token, audiences)
            except InvalidToken as error:
                refusal = error
                continue
            if found is not None:
                return replace(found, user=authenticated(found.user))
        if refusal is not None:
            raise refusal
        return None


class BearerAuthenticator:
    """Authenticates the bearer token of a request. Raises Unauthorized for an invalid one."""

    def __init__(self, tokens: TokenAuthenticator) -> None:
        self._tokens = tokens

    async def authenticate(self, headers: Mapping[str, str], certificate: Certificate | None) -> User | None:
        """None without a token."""
        token = bearer_token(headers)
        if not token:
            return None
        try:
            found = await self._tokens.recognize(token, ()) if len(token) <= MAX_TOKEN else None
        except InvalidToken as error:
            raise errors.unauthorized() from error
        if found is None:
            raise errors.unauthorized()
        return found.user


class AuthenticatorUnion:
    """Certificate, then token, then system:anonymous if that is enabled, else Unauthorized."""

    def __init__(self, authenticators: Sequence[Authenticator], *, anonymous: bool = True) -> None:
        self._authenticators = tuple(authenticators)
        self._anonymous = anonymous

    async def authenticate(self, headers: Mapping[str, str], certificate: Certificate | None) -> User:
        """The user. Raises Unauthorized."""
        for authenticator in self._authenticators:
            user = await authenticator.authenticate(headers, certificate)
            if user is not None:
                return authenticated(user)
        if self._anonymous:
            return ANONYMOUS
        raise errors.unauthorized()


class MastersAuthorizer:
    """Allows everything to members of system:masters, so that administrators can't lock themselves out."""

    def authorize(self, attributes: Attributes) -> Decision:
        """Allow members of system:masters; no opinion about others."""
        return Decision(MASTERS in attributes.user.groups)


class AuthorizerUnion:
    """The first authorizer that allows or denies decides. If none does, the request is refused with all reasons."""

    def __init__(self, authorizers: Sequence[Authorizer]) -> None:
        self._authorizers = tuple(authorizers)

    def authorize(self, attributes: Attributes) -> Decision:
        """Decide about one request."""
        reasons = []
        for authorizer in self._authorizers:
            decision = authorizer.authorize(attributes)
            if decision.allowed or decision.denied:
                return decision
            if decision.reason:
                reasons.append(decision.reason)
        return Decision(False, "\n".join(reasons))
