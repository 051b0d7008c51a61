"""The keys that sign service-account tokens, and the public keys that verify them."""

import base64
import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ec.EllipticCurvePublicKey | rsa.RSAPublicKey


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """A public key, its algorithm, and the key id in the header of tokens."""

    key: PublicKey
    algorithm: str
    id: str


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with its public key."""

    key: PrivateKey
    public: VerifyingKey


def signing_key(pem: bytes) -> SigningKey:
    """A P-256 or RSA private key from PEM. Raises ValueError."""
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(f"expected an unencrypted PEM private key for service-account tokens: {error}") from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise ValueError("the key for service-account tokens must be an RSA or P-256 key")
    return SigningKey(key, _verifying(key.public_key()))


def verifying_key(pem: bytes) -> VerifyingKey:
    """A public key from the PEM of a public or private key. Raises ValueError."""
    if b"PRIVATE KEY" in pem:
        return signing_key(pem).public
    key = serialization.load_pem_public_key(pem)
    if not isinstance(key, (ec.EllipticCurvePublicKey, rsa.RSAPublicKey)):
        raise ValueError("the key for service-account tokens must be an RSA or P-256 key")
    return _verifying(key)


def generate() -> SigningKey:
    """A new P-256 key: tokens are small, and signing takes a tenth of the time of RSA."""
    key = ec.generate_private_key(ec.SECP256R1())
    return SigningKey(key, _verifying(key.public_key()))


def _verifying(key: PublicKey) -> VerifyingKey:
    if isinstance(key, ec.EllipticCurvePublicKey) and not isinstance(key.curve, ec.SECP256R1):
        raise ValueError(f"the elliptic curve must be P-256, got {key.curve.name}")
    algorithm = "RS256" if isinstance(key, rsa.RSAPublicKey) else "ES256"
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return VerifyingKey(key, algorithm, _base64(hashlib.sha256(der).digest()))


def _base64(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def jwk(key: VerifyingKey) -> dict[str, Any]:
    """The public key as a JSON web key (RFC 7517)."""
    common = {"use": "sig", "kid": key.id, "alg": key.algorithm}
    if isinstance(key.key, rsa.RSAPublicKey):
        numbers = key.key.public_numbers()
        modulus = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")
        exponent = numbers.e.to_bytes((numbers.e.bit_length() + 7) // 8, "big")
        return {**common, "kty": "RSA", "n": _base64(modulus), "e": _base64(exponent)}
    point = key.key.public_numbers()
    x, y = (_base64(n.to_bytes(32, "big")) for n in (point.x, point.y))
    return {**common, "kty": "EC", "crv": "P-256", "x": x, "y": y}
