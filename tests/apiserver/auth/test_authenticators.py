"""Certificates, static and bootstrap tokens, bearer headers, and their union."""

import base64
import datetime
from collections.abc import Sequence

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pybernetes.api.core.secret import Secret
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver.auth.bearer import InvalidToken, Recognized, bearer_token
from pybernetes.apiserver.auth.bootstrap_tokens import BootstrapTokens
from pybernetes.apiserver.auth.certificates import CertificateAuthenticator
from pybernetes.apiserver.auth.static_tokens import StaticTokens, parse_token_file
from pybernetes.apiserver.auth.union import AuthenticatorUnion, BearerAuthenticator, TokenUnion
from pybernetes.apiserver.types import ANONYMOUS, User
from pybernetes.client.errors import Unauthorized


def certificate(*attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    key = ec.generate_private_key(ec.SECP256R1())
    begin = datetime.datetime(2026, 1, 1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(1))
    return builder.sign(key, hashes.SHA256())


async def test_certificates() -> None:
    jane = certificate(
        (NameOID.COMMON_NAME, "jane"), (NameOID.ORGANIZATION_NAME, "dev"), (NameOID.ORGANIZATION_NAME, "ops")
    )
    authenticator = CertificateAuthenticator()
    assert await authenticator.authenticate({}, jane) == User("jane", ("dev", "ops"))
    assert await authenticator.authenticate({}, None) is None
    assert await authenticator.authenticate({}, certificate((NameOID.ORGANIZATION_NAME, "dev"))) is None


def websocket(token: str) -> str:
    encoded = base64.urlsafe_b64encode(token.encode()).rstrip(b"=").decode()
    return f"v4.channel.k8s.io, base64url.bearer.authorization.k8s.io.{encoded}"


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"authorization": "Bearer abc"}, "abc"),
        ({"authorization": "bearer   abc "}, "abc"),
        ({"authorization": "Basic abc"}, ""),
        ({"authorization": "Bearer"}, ""),
        ({}, ""),
        ({"sec-websocket-protocol": websocket("abc")}, "abc"),
        ({"sec-websocket-protocol": "base64url.bearer.authorization.k8s.io.!!!"}, ""),
        ({"sec-websocket-protocol": "base64url.bearer.authorization.k8s.io._w"}, ""),
    ],
)
def test_bearer_headers(headers: dict[str, str], token: str) -> None:
    assert bearer_token(headers) == token


async def test_static_tokens() -> None:
    users = parse_token_file(['t1,jane,u1,"dev,ops"', "# a comment", "", "t2,joe,u2"])
    tokens = StaticTokens(users)
    found = await tokens.recognize("t1", ())
    assert found is not None and found.user == User("jane", ("dev", "ops"), "u1")
    assert await tokens.recognize("t3", ()) is None
    assert await tokens.recognize("\udcff", ()) is None


@pytest.mark.parametrize("line", ["t1,jane", ",jane,u", "t1,,u"])
def test_bad_token_files(line: str) -> None:
    with pytest.raises(ValueError, match=r"line 1 of tokens\.csv"):
        parse_token_file([line], "tokens.csv")


def test_a_duplicate_token_is_refused() -> None:
    with pytest.raises(ValueError, match="line 2"):
        parse_token_file(["t,a,u", "t,b,u"])


def bootstrap_secret(**changes: str) -> Secret:
    values = {
        "token-id": "abcdef",
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "expiration": "2027-01-15T08:00:01Z",
        "auth-extra-groups": "system:bootstrappers:ingress,bad",
    } | changes
    data = {k.replace("_", "-"): base64.b64encode(v.encode()).decode() for k, v in values.items()}
    return Secret(metadata=ObjectMeta(name="bootstrap-token-abcdef"), type="bootstrap.kubernetes.io/token", data=data)


async def recognize(secret: Secret | None, token: str) -> Recognized | None:
    async def find(namespace: str, name: str) -> Secret | None:
        assert namespace == "kube-system"
        return secret if name == "bootstrap-token-abcdef" else None

    return await BootstrapTokens(find_secret=find, clock=lambda: 1_800_000_000.0).recognize(token, ())


async def test_bootstrap_tokens() -> None:
    found = await recognize(bootstrap_secret(), "abcdef.0123456789abcdef")
    assert found is not None
    assert found.user == User("system:bootstrap:abcdef", ("system:bootstrappers", "system:bootstrappers:ingress"))
    assert await recognize(bootstrap_secret(), "not-such-a-token") is None


@pytest.mark.parametrize(
    ("secret", "token"),
    [
        (None, "abcdef.0123456789abcdef"),
        (bootstrap_secret(), "abcdef.0123456789abcdee"),
        (bootstrap_secret(), "ghijkl.0123456789abcdef"),
        (bootstrap_secret(expiration="2027-01-15T08:00:00Z"), "abcdef.0123456789abcdef"),
        (bootstrap_secret(expiration="soon"), "abcdef.0123456789abcdef"),
        (bootstrap_secret(**{"usage-bootstrap-authentication": "false"}), "abcdef.0123456789abcdef"),
    ],
)
async def test_bad_bootstrap_tokens(secret: Secret | None, token: str) -> None:
    with pytest.raises(InvalidToken):
        await recognize(secret, token)


class Refusing:
    async def recognize(self, token: str, audiences: Sequence[str]) -> Recognized | None:
        raise InvalidToken("expired")


def union(*, anonymous: bool = True) -> AuthenticatorUnion:
    tokens = TokenUnion([Refusing(), StaticTokens({"good": User("jane")})])
    return AuthenticatorUnion([CertificateAuthenticator(), BearerAuthenticator(tokens)], anonymous=anonymous)


async def test_the_first_authenticator_that_succeeds_wins() -> None:
    cert = certificate((NameOID.COMMON_NAME, "joe"))
    assert (await union().authenticate({"authorization": "Bearer bad"}, cert)).name == "joe"
    jane = await union().authenticate({"authorization": "Bearer good"}, None)
    assert jane == User("jane", ("system:authenticated",))


async def test_invalid_and_missing_credentials() -> None:
    for token in ("bad", "x" * 100_000):
        with pytest.raises(Unauthorized):
            await union().authenticate({"authorization": f"Bearer {token}"}, None)
    assert await union().authenticate({}, None) is ANONYMOUS
    with pytest.raises(Unauthorized):
        await union(anonymous=False).authenticate({}, None)
    unknown = AuthenticatorUnion([BearerAuthenticator(TokenUnion([]))])
    with pytest.raises(Unauthorized):
        await unknown.authenticate({"authorization": "Bearer what"}, None)
