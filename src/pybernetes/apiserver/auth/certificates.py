"""Client certificates: the common name is the user, each organization a group."""

from collections.abc import Mapping

from cryptography.x509 import Certificate
from cryptography.x509.oid import NameOID

from pybernetes.apiserver.types import User


class CertificateAuthenticator:
    """TLS has verified the certificate against the client CA; this only reads the subject."""

    async def authenticate(self, headers: Mapping[str, str], certificate: Certificate | None) -> User | None:
        """The certificate's user; None without a certificate or a common name."""
        return user_of(certificate) if certificate is not None else None


def user_of(certificate: Certificate) -> User | None:
    """`CN=jane, O=dev, O=ops` -> jane in the groups dev and ops."""
    names = [str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if not names or not names[0]:
        return None
    groups = (str(a.value) for a in certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME))
    return User(names[0], tuple(groups))
