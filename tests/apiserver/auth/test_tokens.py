"""Service-account tokens: what is accepted, and every way in which one is refused."""

import base64
import json
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver.auth import signing, tokens
from pybernetes.apiserver.auth.bearer import InvalidToken
from pybernetes.apiserver.auth.tokens import Grant, Ref, ServiceAccountTokens

ISSUER = "https://kubernetes.default.svc.cluster.local"
KEY = signing.generate()
NOW = 1_800_000_000.0


class World:
    """The objects that tokens are bound to, and a clock."""

    def __init__(self) -> None:
        self.now = NOW
        self.objects: dict[tuple[str, str, str], ObjectMeta] = {
            ("ServiceAccount", "default", "web"): ObjectMeta(name="web", uid="sa-1"),
            ("Pod", "default", "web-1"): ObjectMeta(name="web-1", uid="pod-1"),
            ("Secret", "default", "web-token"): ObjectMeta(name="web-token", uid="secret-1"),
            ("Node", "", "node-1"): ObjectMeta(name="node-1", uid="node-1"),
        }

    async def lookup(self, kind: str, namespace: str, name: str) -> ObjectMeta | None:
        return self.objects.get((kind, namespace, name))

    def tokens(self, key: signing.SigningKey = KEY, issuer: str = ISSUER, **more: Any) -> ServiceAccountTokens:
        return ServiceAccountTokens(
            issuer=issuer, key=key, lookup=self.lookup, clock=lambda: self.now, new_id=lambda: "id-1", **more
        )


def grant(**changes: Any) -> Grant:
    return Grant(namespace="default", service_account=Ref("web", "sa-1"), **changes)


BOUND = {"pod": Ref("web-1", "pod-1"), "node": Ref("node-1", "node-1")}


async def test_a_bound_token() -> None:
    world = World()
    service = world.tokens()
    token, expires = service.mint(grant(**BOUND))
    assert expires.timestamp() == NOW + 3600
    found = await service.recognize(token)
    assert found is not None and found.audiences == (ISSUER,)
    assert found.user.name == "system:serviceaccount:default:web" and found.user.uid == "sa-1"
    assert found.user.groups == ("system:serviceaccounts", "system:serviceaccounts:default")
    assert found.user.extra == {
        "authentication.kubernetes.io/pod-name": ("web-1",),
        "authentication.kubernetes.io/pod-uid": ("pod-1",),
        "authentication.kubernetes.io/node-name": ("node-1",),
        "authentication.kubernetes.io/node-uid": ("node-1",),
        "authentication.kubernetes.io/credential-id": ("JTI=id-1",),
    }
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims["kubernetes.io"]["serviceaccount"] == {"name": "web", "uid": "sa-1"}
    assert claims["aud"] == [ISSUER] and claims["exp"] - claims["iat"] == 3600


async def test_rsa_keys_and_rotation() -> None:
    world = World()
    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    old = signing.signing_key(pem)
    token, _ = world.tokens(old).mint(grant())
    assert await world.tokens(KEY, keys=[old.public]).recognize(token)
    with pytest.raises(InvalidToken, match="not signed by a key"):
        await world.tokens(KEY).recognize(token)


async def test_expiry_and_not_before() -> None:
    world = World()
    service = world.tokens()
    token, _ = service.mint(grant(seconds=600))
    world.now = NOW + 599
    assert await service.recognize(token)
    world.now = NOW + 600
    with pytest.raises(InvalidToken, match="expired"):
        await service.recognize(token)
    world.now = NOW - 60
    with pytest.raises(InvalidToken, match="not valid yet"):
        await service.recognize(token)


async def test_audiences() -> None:
    service = World().tokens()
    token, _ = service.mint(grant(audiences=("vault", "other")))
    found = await service.recognize(token, ["other", "third"])
    assert found is not None and found.audiences == ("other",)
    with pytest.raises(InvalidToken, match="audiences"):
        await service.recognize(token)


async def test_a_kubelets_token_is_valid_longer_than_requested() -> None:
    world = World()
    service = world.tokens()
    token, expires = service.mint(grant(seconds=3607, **BOUND))
    assert expires.timestamp() == NOW + 3607
    world.now = NOW + 10 * 3600
    assert await service.recognize(token)
    other, _ = service.mint(grant(seconds=3607, audiences=("vault",), **BOUND))
    assert jwt.decode(other, options={"verify_signature": False})["exp"] == world.now + 3607


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "bound"),
    [
        ("ServiceAccount", "default", "web", {}),
        ("Pod", "default", "web-1", BOUND),
        ("Secret", "default", "web-token", {"secret": Ref("web-token", "secret-1")}),
        ("Node", "", "node-1", {"node": Ref("node-1", "node-1")}),
    ],
)
async def test_bound_objects_must_exist(kind: str, namespace: str, name: str, bound: dict[str, Ref]) -> None:
    world = World()
    service = world.tokens()
    token, _ = service.mint(grant(**bound))
    assert await service.recognize(token)
    key = kind, namespace, name
    world.objects[key] = ObjectMeta(name=name, uid="reborn")
    with pytest.raises(InvalidToken, match="no longer exists"):
        await service.recognize(token)
    uid = {"ServiceAccount": "sa-1", "Pod": "pod-1", "Secret": "secret-1", "Node": "node-1"}[kind]
    deleted = "2027-01-15T07:59:00Z"  # one minute before NOW
    world.objects[key] = ObjectMeta(name=name, uid=uid, deletion_timestamp=deleted)
    assert await service.recognize(token), "a pod that ends may still use its token"
    world.now = NOW + 1
    with pytest.raises(InvalidToken, match="has been deleted"):
        await service.recognize(token)
    del world.objects[key]
    with pytest.raises(InvalidToken, match="no longer exists"):
        await service.recognize(token)


def part(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


async def test_forgeries() -> None:
    world = World()
    service = world.tokens()
    good, _ = service.mint(grant())
    header, payload, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    admin = claims | {"sub": "system:serviceaccount:kube-system:admin"}
    public = KEY.public.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    forged = [
        f"{header}.{part(admin)}.{signature}",
        f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}.",
        f"{part({'alg': 'none', 'kid': KEY.public.id})}.{payload}.",
        f"{part({'alg': 'HS256', 'kid': KEY.public.id})}.{payload}.{signature}",
        f"{header}.{payload}.{signature[:-4]}AAAA",
        f"{header}.{payload}.",
        jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), algorithm="ES256"),
        jwt.encode(claims, ec.generate_private_key(ec.SECP256R1()), "ES256", headers={"kid": KEY.public.id}),
    ]
    signed_with_public = jwt.encode(claims, "x" * 32, algorithm="HS256", headers={"kid": KEY.public.id})
    assert public
    for token in [*forged, signed_with_public]:
        with pytest.raises(InvalidToken):
            await service.recognize(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": "system:serviceaccount:kube-system:web"},
        {"sub": None},
        {"exp": None},
        {"exp": "tomorrow"},
        {"kubernetes.io": None},
        {"kubernetes.io": {"namespace": "default"}},
        {"kubernetes.io": {"namespace": "default", "serviceaccount": {"name": 3, "uid": "x"}}},
        {"aud": None},
        {"aud": {"x": 1}},
        {"nbf": NOW + 999},
    ],
)
async def test_signed_tokens_with_wrong_claims(changes: dict[str, Any]) -> None:
    service = World().tokens()
    token, _ = service.mint(grant())
    claims = jwt.decode(token, options={"verify_signature": False}) | changes
    claims = {k: v for k, v in claims.items() if v is not None}
    with pytest.raises(InvalidToken):
        await service.recognize(jwt.encode(claims, KEY.key, "ES256", headers={"kid": KEY.public.id}))


@pytest.mark.parametrize("token", ["", "abc", "a.b.c", "..", "a" * 100_000, "é.è.ê", part([]) + ".x.y"])
async def test_other_tokens_are_left_to_other_authenticators(token: str) -> None:
    assert await World().tokens().recognize(token) is None


async def test_a_token_of_another_issuer_is_left_to_other_authenticators() -> None:
    world = World()
    token, _ = world.tokens(issuer="https://elsewhere").mint(grant())
    assert await world.tokens().recognize(token) is None


async def test_legacy_tokens_in_secrets() -> None:
    world = World()
    service = world.tokens()
    token = service.mint_secret("default", Ref("web", "sa-1"), "web-token")
    world.now = NOW + 100 * tokens.YEAR
    found = await service.recognize(token)
    assert found is not None and found.user.name == "system:serviceaccount:default:web"
    del world.objects["Secret", "default", "web-token"]
    with pytest.raises(InvalidToken):
        await service.recognize(token)


async def test_the_cache_of_verified_tokens_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "CACHE_SIZE", 3)
    service = World().tokens()
    for seconds in range(600, 610):
        token, _ = service.mint(grant(seconds=seconds))
        assert await service.recognize(token)
    assert len(service._verified) == 3


def test_published_keys_verify_tokens() -> None:
    service = World().tokens()
    token, _ = service.mint(grant())
    published = json.loads(service.jwks())["keys"][0]
    assert published["kid"] == jwt.get_unverified_header(token)["kid"]
    key = jwt.PyJWK(published).key
    assert jwt.decode(
        token,
        key,
        algorithms=["ES256"],
        audience=ISSUER,
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    config = json.loads(service.openid_configuration())
    assert config["issuer"] == ISSUER and config["jwks_uri"] == f"{ISSUER}/openid/v1/jwks"


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_bad_keys(pem: bytes) -> None:
    with pytest.raises(ValueError):
        signing.signing_key(pem)


def test_wrong_curve() -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    with pytest.raises(ValueError, match="P-256"):
        signing.signing_key(pem)


@given(st.text(max_size=40), st.text(max_size=40), st.text(max_size=40))
async def test_garbage(a: str, b: str, c: str) -> None:
    service = World().tokens()
    for token in (f"{a}.{b}.{c}", f"{part({'alg': a})}.{part({'iss': ISSUER, 'sub': b})}.{c}"):
        try:
            assert await service.recognize(token) is None
        except InvalidToken:
            pass
