"""The cluster's keys and certificates on disk, in kubeadm's layout, created once and renewed in time.

Every `up` calls the `ensure_*` methods: valid certificates stay, so that running components keep working; missing
ones, and those that expire soon, have other names or come from another authority, are replaced. A damaged file is an
error, not a reason to replace an authority that clients trust.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pybernetes.cluster.certificates import (
    Authority,
    Subject,
    certificate_pem,
    issue,
    key_pem,
    make_authority,
    matches,
    needs_renewal,
    new_key,
    public_key_pem,
)
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.files import write_atomic
from pybernetes.cluster.layout import Layout

ADMIN = Subject("kubernetes-admin", ("kubeadm:cluster-admins",))
SUPER_ADMIN = Subject("kubernetes-super-admin", ("system:masters",))
CONTROLLER_MANAGER = Subject("system:kube-controller-manager")
SCHEDULER = Subject("system:kube-scheduler")
KUBE_PROXY = Subject("system:kube-proxy", ("system:node-proxier",))
FLANNEL = Subject("flannel")
APISERVER_KUBELET_CLIENT = Subject("kube-apiserver-kubelet-client", ("kubeadm:cluster-admins",))
FRONT_PROXY_CLIENT = Subject("front-proxy-client")


@dataclass(frozen=True, slots=True)
class KeyPair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


def utc_now() -> datetime:
    """The default clock."""
    return datetime.now(UTC)


class Pki:
    """The pki/ directory of one cluster."""

    def __init__(self, directory: Path, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Creates nothing until an `ensure_*` method is called."""
        self.directory = directory
        self._clock = clock
        self._authorities: dict[str, Authority] = {}

    @property
    def ca_certificate(self) -> Path:
        """The CA that clients trust."""
        return self.directory / "ca.crt"

    @property
    def front_proxy_ca_certificate(self) -> Path:
        """The CA that signs the client certificate of the aggregating proxy."""
        return self.directory / "front-proxy-ca.crt"

    @property
    def service_account_key(self) -> Path:
        """The private key that signs service-account tokens (ES256)."""
        return self.directory / "sa.key"

    @property
    def service_account_public_key(self) -> Path:
        """The public key that verifies service-account tokens."""
        return self.directory / "sa.pub"

    def pair(self, name: str) -> KeyPair:
        """Paths of `<name>.crt` and `<name>.key`; the name may contain a directory ('nodes/node-1-kubelet')."""
        return KeyPair(self.directory / f"{name}.crt", self.directory / f"{name}.key")

    def ensure_authority(self, name: str, common_name: str) -> Authority:
        """Load `<name>.crt/.key` or create them. If only the key is missing, that is an error."""
        known = self._authorities.get(name)
        if known is not None:
            return known
        pair = self.pair(name)
        if pair.certificate.exists() or pair.key.exists():
            authority = Authority(read_certificate(pair.certificate), read_key(pair.key))
            if authority.key.public_key() != authority.certificate.public_key():
                raise ConfigError(f"{pair.key} does not belong to {pair.certificate}; restore the pair")
        else:
            authority = make_authority(common_name, self._clock())
            self._write(pair, authority.certificate, authority.key)
        self._authorities[name] = authority
        return authority

    def ensure_certificate(self, name: str, subject: Subject, *, authority: str = "ca", renew: bool = True) -> KeyPair:
        """Create `<name>.crt/.key` for this subject, or replace them if they no longer fit."""
        pair = self.pair(name)
        signer = self.ensure_authority(authority, _AUTHORITIES[authority])
        if pair.certificate.exists() and pair.key.exists():
            present = read_certificate(pair.certificate)
            fits = matches(present, signer, subject) and read_key(pair.key).public_key() == present.public_key()
            if fits and not (renew and needs_renewal(present, self._clock())):
                return pair
        self._write(pair, *issue(signer, subject, self._clock()))
        return pair

    def ensure_service_account_keys(self) -> None:
        """Create sa.key and sa.pub if missing. They are never replaced, which would invalidate every token."""
        if self.service_account_key.exists():
            key = read_key(self.service_account_key)
        else:
            key = new_key()
            write_atomic(self.service_account_key, key_pem(key), 0o600, durable=True)
        if not self.service_account_public_key.exists():
            write_atomic(self.service_account_public_key, public_key_pem(key), 0o644)

    def ensure_control_plane(self, apiserver_sans: tuple[str, ...]) -> None:
        """Create the authorities, the certificates of API server and components, and the service-account keys."""
        self.ensure_service_account_keys()
        self.ensure_certificate("apiserver", Subject("kube-apiserver", (), apiserver_sans, client=False))
        for name, (subject, authority) in _CONTROL_PLANE.items():
            self.ensure_certificate(name, subject, authority=authority)

    def ensure_node(self, node: str, addresses: tuple[str, ...]) -> None:
        """Create the kubelet's client and serving certificates, and those of kube-proxy and flannel."""
        self.ensure_certificate(f"nodes/{node}", node_subject(node))
        serving = Subject(f"system:node:{node}", ("system:nodes",), (node, *addresses), client=False)
        self.ensure_certificate(f"nodes/{node}-server", serving)

    def _write(self, pair: KeyPair, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        # Write the key first: after a crash in between, the next call replaces the key without a certificate.
        pair.certificate.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(pair.key, key_pem(key), 0o600, durable=True)
        write_atomic(pair.certificate, certificate_pem(certificate), 0o644, durable=True)


_AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca"}

_CONTROL_PLANE: dict[str, tuple[Subject, str]] = {
    "apiserver-kubelet-client": (APISERVER_KUBELET_CLIENT, "ca"),
    "front-proxy-client": (FRONT_PROXY_CLIENT, "front-proxy-ca"),
    "admin": (ADMIN, "ca"),
    "super-admin": (SUPER_ADMIN, "ca"),
    "controller-manager": (CONTROLLER_MANAGER, "ca"),
    "scheduler": (SCHEDULER, "ca"),
    "kube-proxy": (KUBE_PROXY, "ca"),
    "flannel": (FLANNEL, "ca"),
}


def node_subject(node: str) -> Subject:
    """The subject of a kubelet's client certificate."""
    return Subject(f"system:node:{node}", ("system:nodes",))


def apiserver_sans(layout: Layout, hostname: str, extra: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Every name and address by which clients may reach the API server."""
    domain = layout.cluster_domain
    names = (
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        f"kubernetes.default.svc.{domain}",
        "localhost",
        hostname,
        "127.0.0.1",
        "::1",
        str(layout.service_address),
        str(layout.host_address),
        str(layout.transit.v6.network_address + 1),
        *extra,
    )
    return tuple(dict.fromkeys(_clean(name) for name in names if name))


def read_certificate(path: Path) -> x509.Certificate:
    """Parse a PEM certificate. Raises ConfigError that names a damaged file."""
    try:
        return x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read certificate {path}: {error}; restore it, or remove it and run 'up'") from error


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Parse a PEM key. Raises ConfigError that names a damaged file."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"cannot read key {path}: {error}; restore it, or remove it and run 'up'") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigError(f"{path} contains another kind of key; an ECDSA P-256 key is needed")
    return key


def _clean(name: str) -> str:
    try:
        return str(ip_address(name))
    except ValueError:
        return name.lower()
