"""Certificates: which are valid for TLS, which are kept, and which are replaced."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pybernetes.cluster.certificates import Subject, alternative_names
from pybernetes.cluster.errors import ConfigError
from pybernetes.cluster.layout import Layout
from pybernetes.cluster.pki import Pki, apiserver_sans, node_subject, read_certificate

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def make(directory: Path, now: datetime = NOW) -> Pki:
    return Pki(directory, clock=lambda: now)


def test_the_layout_is_kubeadms_and_keys_are_private(tmp_path: Path) -> None:
    pki = make(tmp_path)
    pki.ensure_control_plane(("localhost", "127.0.0.1"))
    pki.ensure_node("node-1", ("10.89.0.2",))
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {"ca.crt", "ca.key", "apiserver.crt", "sa.key", "sa.pub", "front-proxy-ca.crt"} <= names
    assert {"apiserver-kubelet-client.crt", "front-proxy-client.key", "nodes/node-1.crt"} <= names
    for path in tmp_path.rglob("*.key"):
        assert path.stat().st_mode & 0o777 == 0o600, path


def test_valid_certificates_are_kept(tmp_path: Path) -> None:
    for _ in range(2):
        pki = make(tmp_path)
        pki.ensure_control_plane(("localhost",))
        pki.ensure_node("node-1", ("10.89.0.2",))
        contents = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        stamps = {path: path.stat().st_mtime_ns for path in contents}
    make(tmp_path).ensure_control_plane(("localhost",))
    assert {path: path.stat().st_mtime_ns for path in contents} == stamps


def test_leaf_certificates_are_renewed_before_they_expire_and_the_authority_is_kept(tmp_path: Path) -> None:
    make(tmp_path).ensure_control_plane(("localhost",))
    authority = (tmp_path / "ca.crt").read_bytes()
    leaf = (tmp_path / "scheduler.crt").read_bytes()
    token_key = (tmp_path / "sa.key").read_bytes()
    make(tmp_path, NOW + timedelta(days=300)).ensure_control_plane(("localhost",))
    assert (tmp_path / "scheduler.crt").read_bytes() == leaf
    make(tmp_path, NOW + timedelta(days=310)).ensure_control_plane(("localhost",))
    assert (tmp_path / "scheduler.crt").read_bytes() != leaf
    assert (tmp_path / "ca.crt").read_bytes() == authority
    assert (tmp_path / "sa.key").read_bytes() == token_key


def test_new_names_give_a_new_certificate(tmp_path: Path) -> None:
    make(tmp_path).ensure_control_plane(("localhost",))
    make(tmp_path).ensure_control_plane(("localhost", "10.0.0.1", "::1"))
    found = alternative_names(read_certificate(tmp_path / "apiserver.crt"))
    assert found == {"localhost", "10.0.0.1", "::1"}


def test_a_leaf_without_its_key_or_of_another_authority_is_replaced(tmp_path: Path) -> None:
    subject = Subject("someone", ("some-group",))
    pair = make(tmp_path).ensure_certificate("someone", subject)
    pair.key.unlink()
    make(tmp_path).ensure_certificate("someone", subject)
    assert pair.key.exists()
    (tmp_path / "ca.crt").unlink()
    (tmp_path / "ca.key").unlink()
    before = pair.certificate.read_bytes()
    make(tmp_path).ensure_certificate("someone", subject)
    assert pair.certificate.read_bytes() != before


def test_a_damaged_authority_is_an_error_and_not_replaced(tmp_path: Path) -> None:
    make(tmp_path).ensure_control_plane(("localhost",))
    (tmp_path / "ca.key").write_text("rubbish")
    with pytest.raises(ConfigError, match=r"ca\.key"):
        make(tmp_path).ensure_control_plane(("localhost",))
    assert (tmp_path / "ca.key").read_text() == "rubbish"
    (tmp_path / "ca.key").unlink()
    with pytest.raises(ConfigError, match=r"ca\.key"):
        make(tmp_path).ensure_control_plane(("localhost",))


def test_a_key_of_another_certificate_or_kind(tmp_path: Path) -> None:
    pki = make(tmp_path)
    pki.ensure_control_plane(("localhost",))
    (tmp_path / "ca.key").write_bytes((tmp_path / "sa.key").read_bytes())
    with pytest.raises(ConfigError, match="does not belong"):
        make(tmp_path).ensure_authority("ca", "kubernetes")
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "ca.key").write_bytes(pem)
    with pytest.raises(ConfigError, match="another kind"):
        make(tmp_path).ensure_authority("ca", "kubernetes")


def test_names_of_the_api_server() -> None:
    names = apiserver_sans(Layout("dev", 0), "Host-1", ("192.0.2.9", "192.0.2.9"))
    assert "kubernetes.default.svc.cluster.local" in names
    assert {"10.96.0.1", "10.89.7.1", "127.0.0.1", "host-1", "192.0.2.9"} <= set(names)
    assert len(set(names)) == len(names)


def test_a_real_handshake_with_client_certificates(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    pki.ensure_control_plane(("localhost", "127.0.0.1"))
    pki.ensure_certificate("nodes/n", node_subject("n"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(tmp_path / "apiserver.crt", tmp_path / "apiserver.key")
    server.load_verify_locations(tmp_path / "ca.crt")
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=str(tmp_path / "ca.crt"))
    client.load_cert_chain(tmp_path / "nodes/n.crt", tmp_path / "nodes/n.key")
    seen: list[object] = []
    near, far = socket.socketpair()

    def serve() -> None:
        with server.wrap_socket(near, server_side=True) as connection:
            peer = connection.getpeercert()
            seen.append(peer["subject"] if peer else None)
            connection.sendall(b"x")

    thread = threading.Thread(target=serve)
    thread.start()
    with client.wrap_socket(far, server_hostname="127.0.0.1") as connection:
        assert connection.recv(1) == b"x"
    thread.join()
    assert seen == [((("organizationName", "system:nodes"),), (("commonName", "system:node:n"),))]
