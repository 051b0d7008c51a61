"""Authentication and authorization of clients, by their certificates, and the server's TLS configuration."""

import datetime
import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pybernetes.kubelet.config import ConfigError, KubeletConfig

_YEAR = datetime.timedelta(days=365)


def subject(certificate: dict[str, Any] | None) -> tuple[str, tuple[str, ...]]:
    """(common name, organizations) of a peer's certificate in the form of `ssl`; empty without a certificate."""
    pairs = [pair for part in (certificate or {}).get("subject", ()) for pair in part]
    name = next((value for key, value in pairs if key == "commonName"), "")
    return name, tuple(value for key, value in pairs if key == "organizationName")


def is_allowed(config: KubeletConfig, name: str, groups: Sequence[str], path: str) -> bool:
    """Whether a user may make a request. Health checks need no authentication."""
    if path in ("/healthz", "/livez", "/readyz"):
        return True
    return bool(name) and (name in config.authorized_users or bool(set(groups) & set(config.authorized_groups)))


def tls_context(config: KubeletConfig) -> ssl.SSLContext:
    """The server's TLS configuration: its certificate and the CA of clients. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    cert, key = config.tls_cert_file, config.tls_key_file
    if cert is None or key is None:
        cert, key = self_signed(config)
    try:
        context.load_cert_chain(cert, key)
        if config.client_ca_file is not None:
            context.load_verify_locations(config.client_ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"TLS files {cert}, {key}, {config.client_ca_file}: {error}") from error
    return context


def self_signed(config: KubeletConfig) -> tuple[Path, Path]:
    """Make a self-signed certificate, like kubelet without --tls-cert-file. It is kept below the root directory."""
    directory = config.root_dir / "pki"
    cert_file, key_file = directory / "kubelet.crt", directory / "kubelet.key"
    if cert_file.exists() and key_file.exists():
        return cert_file, key_file
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{config.node_name}@self-signed")])
    names: list[x509.GeneralName] = [x509.DNSName(config.node_name)]
    names += [x509.IPAddress(ipaddress.ip_address(ip)) for ip in config.node_ips]
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(minutes=5)).not_valid_after(now + _YEAR)
    certificate = builder.add_extension(x509.SubjectAlternativeName(names), critical=False).sign(key, hashes.SHA256())
    directory.mkdir(parents=True, exist_ok=True)
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return cert_file, key_file
