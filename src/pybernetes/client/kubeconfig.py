"""Reading kubeconfig files: which server, which CA, whose credentials."""

import base64
import binascii
import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import yaml

from pybernetes.client.http import Endpoint


class KubeconfigError(Exception):
    """The file can't be used; the message names the file, what was expected and what was found."""


def load(path: Path, context: str = "") -> Endpoint:
    """The endpoint of a context (the current one by default). Raises KubeconfigError."""
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise KubeconfigError(f"{path}: no such file; `pybernetes kubeconfig` prints one") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise KubeconfigError(f"{path}: not a kubeconfig: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"{path}: expected a mapping with clusters, users and contexts, found {document!r:.40}")
    name = context or document.get("current-context") or ""
    if not name:
        raise KubeconfigError(f"{path}: no current-context; set one with `kubectl config use-context`")
    ctx = _named(path, document, "contexts", name, "context")
    cluster = _named(path, document, "clusters", ctx.get("cluster", ""), "cluster")
    user = _named(path, document, "users", ctx["user"], "user") if ctx.get("user") else {}
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise KubeconfigError(f"{path}: cluster {ctx['cluster']!r}: server must be an http(s) URL, found {server!r}")
    cert, key = _client_certificate(path, user)
    return Endpoint(
        server=server.rstrip("/"),
        ca_file=_file(path, cluster.get("certificate-authority")),
        ca_data=_decode(path, cluster.get("certificate-authority-data"), "certificate-authority-data"),
        cert_file=cert,
        key_file=key,
        token=str(user.get("token") or ""),
        token_file=_file(path, user.get("tokenFile")),
        insecure_skip_tls_verify=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _named(path: Path, document: dict[str, Any], section: str, name: str, key: str) -> dict[str, Any]:
    entries = document.get(section) or []
    if isinstance(entries, list):
        for entry in entries:
            if isinstance(entry, dict) and entry.get("name") == name:
                found = entry.get(key)
                return found if isinstance(found, dict) else {}
    raise KubeconfigError(f"{path}: no entry named {name!r} in {section}")


def _file(path: Path, value: object) -> Path | None:
    """Paths in a kubeconfig are relative to the file they stand in."""
    return path.parent / value if isinstance(value, str) and value else None


def _decode(path: Path, value: object, what: str) -> bytes:
    if not value:
        return b""
    try:
        return base64.b64decode(str(value), validate=True)
    except binascii.Error as error:
        raise KubeconfigError(f"{path}: {what} is not base64: {error}") from error


def _client_certificate(path: Path, user: dict[str, Any]) -> tuple[Path | None, Path | None]:
    """The certificate and key as files, which is all that the TLS library reads."""
    cert = _decode(path, user.get("client-certificate-data"), "client-certificate-data")
    key = _decode(path, user.get("client-key-data"), "client-key-data")
    if not cert or not key:
        return _file(path, user.get("client-certificate")), _file(path, user.get("client-key"))
    descriptor, name = tempfile.mkstemp(prefix="pybernetes-client-", suffix=".pem")
    with os.fdopen(descriptor, "wb") as pem:
        os.fchmod(pem.fileno(), stat.S_IRUSR | stat.S_IWUSR)
        pem.write(cert.rstrip() + b"\n" + key)
    return Path(name), Path(name)
