"""Service-account tokens: JSON web tokens bound to an account and, usually, to a pod.

A token is valid if its signature, issuer, audience and times are, and while all objects that it is bound to exist with
the same uid. Verified signatures are cached; everything else is checked every time.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import jwt
import msgspec

from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver.auth.bearer import MAX_TOKEN, InvalidToken, Recognized
from pybernetes.apiserver.auth.signing import SigningKey, VerifyingKey, jwk
from pybernetes.apiserver.types import User

PREFIX = "system:serviceaccount:"
LEGACY_ISSUER = "kubernetes/serviceaccount"
PRIVATE = "kubernetes.io"
LEEWAY = 10
"""tolerated clock skew for nbf and iat, in seconds"""
DELETION_GRACE = 60
"""seconds for which tokens stay valid after the deletionTimestamp of an object that they are bound to"""
EXTENDED_REQUEST = 3607
"""the expirationSeconds of kubelets for tokens that old clients do not refresh; such tokens are valid for a year"""
YEAR = 365 * 24 * 3600
MIN_SECONDS = 600
DEFAULT_SECONDS = 3600
CACHE_SIZE = 4096


class Lookup(Protocol):
    """Finds the metadata of a ServiceAccount, Pod, Secret or Node; namespace is "" for a node."""

    async def __call__(self, kind: str, namespace: str, name: str) -> ObjectMeta | None:
        """None if the object does not exist."""


@dataclass(frozen=True, slots=True)
class Ref:
    """An object that a token is bound to."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """The claims of a new token. At most one of pod and secret; a node may come with a pod, or alone."""

    namespace: str
    service_account: Ref
    audiences: tuple[str, ...] = ()
    """default: the API server's own"""
    seconds: int = DEFAULT_SECONDS
    pod: Ref | None = None
    secret: Ref | None = None
    node: Ref | None = None


def service_account_user(namespace: str, name: str, uid: str = "", extra: Mapping[str, tuple[str, ...]] = {}) -> User:
    """The user name and groups of a service account."""
    groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}")
    return User(f"{PREFIX}{namespace}:{name}", groups, uid, extra)


class ServiceAccountTokens:
    """Issues and authenticates tokens. `keys` are further keys whose signatures are accepted, for rotation."""

    def __init__(
        self,
        *,
        issuer: str,
        audiences: Sequence[str] = (),
        key: SigningKey,
        keys: Sequence[VerifyingKey] = (),
        lookup: Lookup,
        clock: Callable[[], float],
        new_id: Callable[[], str],
    ) -> None:
        self.issuer = issuer
        self.audiences = tuple(audiences) or (issuer,)
        self._key = key
        self._keys = {k.id: k for k in (key.public, *keys)}
        self._lookup = lookup
        self._clock = clock
        self._new_id = new_id
        self._verified: OrderedDict[bytes, dict[str, Any]] = OrderedDict()

    def mint(self, grant: Grant) -> tuple[str, datetime]:
        """A token, and the time until which its holder should refresh it."""
        now = int(self._clock())
        audiences = grant.audiences or self.audiences
        private: dict[str, Any] = {
            "namespace": grant.namespace,
            "serviceaccount": {"name": grant.service_account.name, "uid": grant.service_account.uid},
        }
        for field in ("pod", "secret", "node"):
            ref: Ref | None = getattr(grant, field)
            if ref is not None:
                private[field] = {"name": ref.name, "uid": ref.uid}
        refresh_by = expires = now + grant.seconds
        if grant.pod and grant.seconds == EXTENDED_REQUEST and set(audiences) <= set(self.audiences):
            private["warnafter"] = refresh_by
            expires = now + YEAR
        claims = {
            "aud": list(audiences),
            "exp": expires,
            "iat": now,
            "iss": self.issuer,
            "jti": self._new_id(),
            PRIVATE: private,
            "nbf": now,
            "sub": f"{PREFIX}{grant.namespace}:{grant.service_account.name}",
        }
        return self._sign(claims), datetime.fromtimestamp(refresh_by, UTC)

    def mint_secret(self, namespace: str, account: Ref, secret_name: str) -> str:
        """A legacy token, stored in a Secret: without audience and expiry, valid while the Secret contains it."""
        return self._sign(
            {
                "iss": LEGACY_ISSUER,
                "kubernetes.io/serviceaccount/namespace": namespace,
                "kubernetes.io/serviceaccount/secret.name": secret_name,
                "kubernetes.io/serviceaccount/service-account.name": account.name,
                "kubernetes.io/serviceaccount/service-account.uid": account.uid,
                "sub": f"{PREFIX}{namespace}:{account.name}",
            }
        )

    def _sign(self, claims: Mapping[str, Any]) -> str:
        headers = {"kid": self._key.public.id}
        return jwt.encode(dict(claims), self._key.key, algorithm=self._key.public.algorithm, headers=headers)

    async def recognize(self, token: str, audiences: Sequence[str] = ()) -> Recognized | None:
        """The user of a token. None if another issuer has issued it. Raises InvalidToken."""
        if token.count(".") != 2 or len(token) > MAX_TOKEN:
            return None
        claims = self._claims(token)
        if claims is None:
            return None
        self._check_times(claims)
        if claims.get("iss") == LEGACY_ISSUER:
            return Recognized(await self._legacy_user(claims), tuple(audiences))
        wanted = tuple(audiences) or self.audiences
        meant = claims.get("aud")
        meant = [meant] if isinstance(meant, str) else meant if isinstance(meant, list) else []
        common = tuple(a for a in wanted if a in meant)
        if not common:
            raise InvalidToken(f"token audiences {meant} is invalid for the target audiences {list(wanted)}")
        return Recognized(await self._user(claims), common)

    def _is_ours(self, token: str) -> bool:
        """Whether the token's issuer is this server; the signature is not verified yet."""
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
        except (jwt.PyJWTError, ValueError, RecursionError):
            return False
        return claims.get("iss") in (self.issuer, LEGACY_ISSUER)

    def _claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a token of this issuer, with its signature verified; None for another issuer."""
        digest = hashlib.sha256(token.encode(errors="surrogatepass")).digest()
        known = self._verified.get(digest)
        if known is not None:
            self._verified.move_to_end(digest)
            return known
        if not self._is_ours(token):
            return None
        claims = self._verify(token)
        self._verified[digest] = claims
        if len(self._verified) > CACHE_SIZE:
            self._verified.popitem(last=False)
        return claims

    def _verify(self, token: str) -> dict[str, Any]:
        try:
            key_id = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError as error:
            raise InvalidToken(str(error)) from error
        candidates = [self._keys[key_id]] if key_id in self._keys else list(self._keys.values())
        for candidate in candidates:
            try:
                # The algorithm is that of the key, never the one in the token.
                claims: dict[str, Any] = jwt.decode(
                    token,
                    candidate.key,
                    algorithms=[candidate.algorithm],
                    options={
                        "verify_exp": False,
                        "verify_nbf": False,
                        "verify_iat": False,
                        "verify_aud": False,
                        "verify_iss": False,
                        "verify_sub": False,
                        "verify_jti": False,
                    },
                )
                return claims
            except (jwt.PyJWTError, ValueError):
                continue
        raise InvalidToken("the token is not signed by a key of this cluster")

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._clock()
        expires, begins = claims.get("exp"), claims.get("nbf")
        if expires is None and claims.get("iss") != LEGACY_ISSUER:
            raise InvalidToken("the token has no expiration")
        if expires is not None and not (isinstance(expires, (int, float)) and now < expires):
            raise InvalidToken("service account token has expired")
        if begins is not None and not (isinstance(begins, (int, float)) and begins <= now + LEEWAY):
            raise InvalidToken("the token is not valid yet")

    async def _user(self, claims: Mapping[str, Any]) -> User:
        private = claims.get(PRIVATE)
        if not isinstance(private, dict) or not isinstance(private.get("namespace"), str):
            raise InvalidToken("the token names no service account")
        namespace = private["namespace"]
        account = _ref(private, "serviceaccount")
        if account is None or claims.get("sub") != f"{PREFIX}{namespace}:{account.name}":
            raise InvalidToken("the token's subject is not its service account")
        await self._check_exists("ServiceAccount", namespace, account)
        extra: dict[str, tuple[str, ...]] = {}
        for field, kind in (("secret", "Secret"), ("pod", "Pod"), ("node", "Node")):
            ref = _ref(private, field)
            # A node is checked only if the token is bound to nothing else: a pod is deleted with its node.
            if ref is None:
                continue
            if not (field == "node" and "pod" in private):
                await self._check_exists(kind, "" if field == "node" else namespace, ref)
            if field != "secret":
                extra[f"authentication.kubernetes.io/{field}-name"] = (ref.name,)
                extra[f"authentication.kubernetes.io/{field}-uid"] = (ref.uid,)
        if isinstance(claims.get("jti"), str):
            extra["authentication.kubernetes.io/credential-id"] = (f"JTI={claims['jti']}",)
        return service_account_user(namespace, account.name, account.uid, extra)

    async def _legacy_user(self, claims: Mapping[str, Any]) -> User:
        fields = ("namespace", "secret.name", "service-account.name", "service-account.uid")
        values = [claims.get(f"kubernetes.io/serviceaccount/{field}") for field in fields]
        if not all(isinstance(v, str) and v for v in values):
            raise InvalidToken("the token names no service account")
        namespace, secret, name, uid = (str(v) for v in values)
        if claims.get("sub") != f"{PREFIX}{namespace}:{name}":
            raise InvalidToken("the token's subject is not its service account")
        await self._check_exists("ServiceAccount", namespace, Ref(name, uid))
        await self._check_exists("Secret", namespace, Ref(secret, ""))
        return service_account_user(namespace, name, uid)

    async def _check_exists(self, kind: str, namespace: str, ref: Ref) -> None:
        found = await self._lookup(kind, namespace, ref.name)
        if found is None or (ref.uid and found.uid != ref.uid):
            raise InvalidToken(f"{kind} {ref.name} that the token is bound to no longer exists")
        if found.deletion_timestamp:
            deleted = datetime.fromisoformat(found.deletion_timestamp).timestamp()
            if deleted < self._clock() - DELETION_GRACE:
                raise InvalidToken(f"{kind} {ref.name} that the token is bound to has been deleted")

    def jwks(self) -> bytes:
        """`/openid/v1/jwks`"""
        return msgspec.json.encode({"keys": [jwk(k) for k in self._keys.values()]})

    def openid_configuration(self, jwks_uri: str = "") -> bytes:
        """`/.well-known/openid-configuration`"""
        return msgspec.json.encode(
            {
                "issuer": self.issuer,
                "jwks_uri": jwks_uri or f"{self.issuer.rstrip('/')}/openid/v1/jwks",
                "response_types_supported": ["id_token"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": sorted({k.algorithm for k in self._keys.values()}),
            }
        )


def _ref(private: Mapping[str, Any], field: str) -> Ref | None:
    value = private.get(field)
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(value.get("name"), str) and isinstance(value.get("uid"), str):
        return Ref(value["name"], value["uid"])
    raise InvalidToken(f"the token's {field} is malformed")
