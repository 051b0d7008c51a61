"""Reads kubeconfig files: the server, its CA and the user's credentials."""

import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from pybernetes.client.endpoint import Endpoint
from pybernetes.client.errors import Unusable

#: The C loader if libyaml is installed: ten times as fast, and every component reads a kubeconfig at its start.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KubeconfigError(Exception):
    """The file can't be used; the message names the file, what was expected and what was found."""


def load(path: Path, context: str = "") -> Endpoint:
    """The endpoint of a context (the current one by default). Raises KubeconfigError."""
    document = _read(path)
    name = context or document.get("current-context") or ""
    if not name:
        raise KubeconfigError(f"{path}: no current-context; set one with `kubectl config use-context`")
    ctx = _named(path, document, "contexts", name, "context")
    cluster = _named(path, document, "clusters", ctx.get("cluster", ""), "cluster")
    user = _named(path, document, "users", ctx["user"], "user") if ctx.get("user") else {}
    endpoint = Endpoint(
        server=_server(path, ctx.get("cluster"), cluster.get("server")),
        ca_file=_file(path, cluster.get("certificate-authority")),
        ca_data=_decode(path, cluster.get("certificate-authority-data"), "certificate-authority-data"),
        insecure_skip_tls_verify=_flag(path, cluster, "insecure-skip-tls-verify"),
        **_credentials(path, ctx.get("user"), user),
    )
    try:
        endpoint.ssl_context()
    except Unusable as error:
        raise KubeconfigError(f"{path}: {error}") from error
    return endpoint


def _read(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_text(), Loader=_LOADER)
    except FileNotFoundError:
        raise KubeconfigError(f"{path}: no such file; `pybernetes kubeconfig` prints one") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise KubeconfigError(f"{path}: not a kubeconfig: {error}") from error
    if not isinstance(document, dict):
        raise KubeconfigError(f"{path}: expected a mapping with clusters, users and contexts, found {document!r:.40}")
    return document


def _server(path: Path, name: object, server: object) -> str:
    try:
        parts = urlsplit(server) if isinstance(server, str) else None
        if parts and parts.scheme in ("https", "http") and parts.hostname and parts.port != 0:
            return parts.geturl().rstrip("/")
    except ValueError:
        pass  # the port is not a number
    raise KubeconfigError(f"{path}: cluster {name!r}: server must be an http(s) URL, found {server!r:.100}")


def _credentials(path: Path, name: object, user: dict[str, Any]) -> dict[str, Any]:
    """The fields of Endpoint that a user entry fills."""
    for unknown in ("exec", "auth-provider", "username"):
        if user.get(unknown):
            raise KubeconfigError(
                f"{path}: user {name!r}: {unknown} is not supported; use client-certificate, token or tokenFile"
            )
    token = user.get("token") or ""
    if not isinstance(token, str) or not token.isascii() or any(c.isspace() for c in token):
        raise KubeconfigError(f"{path}: user {name!r}: token must be one word of ASCII text")
    found = {
        "cert_file": _file(path, user.get("client-certificate")),
        "key_file": _file(path, user.get("client-key")),
        "cert_data": _decode(path, user.get("client-certificate-data"), "client-certificate-data"),
        "key_data": _decode(path, user.get("client-key-data"), "client-key-data"),
    }
    for part in ("cert", "key"):
        if found[f"{part}_data"]:  # as in client-go, data takes precedence over a file
            found[f"{part}_file"] = None
    has_cert, has_key = (bool(found[f"{part}_file"] or found[f"{part}_data"]) for part in ("cert", "key"))
    if has_cert != has_key:
        lacks = "client-key" if has_cert else "client-certificate"
        raise KubeconfigError(f"{path}: user {name!r}: a certificate needs its key: {lacks} is missing")
    return {**found, "token": token, "token_file": None if token else _file(path, user.get("tokenFile"))}


def _named(path: Path, document: dict[str, Any], section: str, name: str, key: str) -> dict[str, Any]:
    entries = document.get(section) or []
    if isinstance(entries, list):
        for entry in entries:
            if isinstance(entry, dict) and entry.get("name") == name:
                found = entry.get(key)
                return found if isinstance(found, dict) else {}
    raise KubeconfigError(f"{path}: no entry named {name!r} in {section}")


def _flag(path: Path, entry: dict[str, Any], key: str) -> bool:
    value = entry.get(key, False)
    if not isinstance(value, bool):
        raise KubeconfigError(f"{path}: {key} must be true or false, found {value!r:.40}")
    return value


def _file(path: Path, value: object) -> Path | None:
    """Paths in a kubeconfig are relative to the directory of the file."""
    return path.parent / value if isinstance(value, str) and value else None


def _decode(path: Path, value: object, what: str) -> bytes:
    if not value:
        return b""
    try:
        return base64.b64decode(str(value), validate=True)
    except ValueError as error:
        raise KubeconfigError(f"{path}: {what} is not base64: {error}") from error
