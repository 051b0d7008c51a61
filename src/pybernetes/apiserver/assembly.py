"""A server with full authentication and authorization, as a cluster runs it."""

import random
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pybernetes.api.core.node import KIND as NODE
from pybernetes.api.core.pod import KIND as POD
from pybernetes.api.core.secret import KIND as SECRET
from pybernetes.api.core.secret import Secret
from pybernetes.api.core.service_account import KIND as SERVICE_ACCOUNT
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver import codec
from pybernetes.apiserver.auth.bootstrap_tokens import BootstrapTokens
from pybernetes.apiserver.auth.certificates import CertificateAuthenticator
from pybernetes.apiserver.auth.node import NodeAuthorizer
from pybernetes.apiserver.auth.rbac import Rbac
from pybernetes.apiserver.auth.reviews import Reviews
from pybernetes.apiserver.auth.signing import SigningKey, VerifyingKey
from pybernetes.apiserver.auth.static_tokens import StaticTokens
from pybernetes.apiserver.auth.tokens import ServiceAccountTokens
from pybernetes.apiserver.auth.union import (
    AuthenticatorUnion,
    AuthorizerUnion,
    BearerAuthenticator,
    MastersAuthorizer,
    TokenUnion,
)
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.server import ApiServer, build_server
from pybernetes.apiserver.types import Attributes, Authorizer, Decision, User
from pybernetes.store.types import Store

DEFAULT_MODES = ("Node", "RBAC")
_KINDS = {kind.name: kind for kind in (SERVICE_ACCOUNT, POD, SECRET, NODE)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Security:
    """What users are authenticated with."""

    signing_key: SigningKey
    """signs service-account tokens"""
    verifying_keys: tuple[VerifyingKey, ...] = ()
    """further keys whose signatures are accepted"""
    issuer: str = "https://kubernetes.default.svc.cluster.local"
    audiences: tuple[str, ...] = ()
    """default: the issuer"""
    static_tokens: Mapping[str, User] = field(default_factory=dict)


class _Always:
    """Gives the same answer to every request."""

    def __init__(self, decision: Decision) -> None:
        self._decision = decision

    def authorize(self, attributes: Attributes) -> Decision:
        """Always the same decision."""
        return self._decision


def assemble(
    config: ServerConfig,
    store: Store,
    security: Security,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    rng: random.Random | None = None,
    nodes: NodeAuthorizer | None = None,
    modes: Sequence[str] = DEFAULT_MODES,
) -> ApiServer:
    """A server that authenticates by certificates and all sorts of tokens. `modes` are its authorizers, in this order:
    AlwaysAllow, AlwaysDeny, RBAC, and Node if `nodes` is given.

    Call `await server.start()` before serving.
    """

    async def lookup(kind: str, namespace: str, name: str) -> ObjectMeta | None:
        known = _KINDS[kind]
        kv = store.get(known.key(namespace, name))
        return known.schema.load(kv.value).metadata if kv is not None else None

    async def find_secret(namespace: str, name: str) -> Secret | None:
        kv = store.get(SECRET.key(namespace, name))
        return codec.decode(kv.value, Secret) if kv is not None else None

    def clock() -> float:
        return now().timestamp()

    accounts = ServiceAccountTokens(
        issuer=security.issuer,
        audiences=security.audiences,
        key=security.signing_key,
        keys=security.verifying_keys,
        lookup=lookup,
        clock=clock,
        new_id=lambda: str(uuid.uuid4()),
    )
    bootstrap = BootstrapTokens(find_secret=find_secret, clock=clock)
    tokens = TokenUnion([accounts, bootstrap, StaticTokens(security.static_tokens)])
    rbac = Rbac()
    by_mode: dict[str, Authorizer] = {
        "AlwaysAllow": _Always(Decision(True)),
        "AlwaysDeny": _Always(Decision(False, reason="Everything is forbidden.")),
        "RBAC": rbac,
        **({"Node": nodes} if nodes is not None else {}),
    }
    authorizer = AuthorizerUnion([MastersAuthorizer(), *(by_mode[mode] for mode in modes if mode in by_mode)])
    return build_server(
        config,
        store,
        AuthenticatorUnion([CertificateAuthenticator(), BearerAuthenticator(tokens)], anonymous=config.anonymous),
        authorizer,
        tokens=accounts,
        reviews=Reviews(authorizer=authorizer, rbac=rbac, tokens=tokens, audiences=accounts.audiences),
        rbac=rbac,
        now=now,
        rng=rng,
    )
