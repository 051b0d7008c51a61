"""kubeconfig files: valid ones, and invalid ones with messages that name the file and the fault."""

import base64
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apiserver.certs import Pki
from pybernetes.client.endpoint import Endpoint, TokenFile
from pybernetes.client.errors import Unusable
from pybernetes.client.kubeconfig import KubeconfigError, load


def b64(file: str) -> str:
    return base64.b64encode(Path(file).read_bytes()).decode()


def document(pki: Pki, cluster: dict[str, Any] | None = None, user: dict[str, Any] | None = None) -> dict[str, Any]:
    base = {"server": "https://127.0.0.1:6443/", "certificate-authority": pki.ca}
    return {
        "clusters": [{"name": "c", "cluster": {**base, **(cluster or {})}}],
        "users": [{"name": "u", "user": user if user is not None else {"token": "secret"}}],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u"}},
            {"name": "y", "context": {"cluster": "z"}},
        ],
        "current-context": "x",
    }


def written(tmp_path: Path, content: object) -> Path:
    path = tmp_path / "config"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_token(tmp_path: Path, pki: Pki) -> None:
    endpoint = load(written(tmp_path, document(pki)))
    assert (endpoint.server, endpoint.token) == ("https://127.0.0.1:6443", "secret")
    assert "secret" not in repr(endpoint)


@pytest.mark.parametrize("cert_inline", [True, False])
@pytest.mark.parametrize("key_inline", [True, False])
def test_certificates_inline_or_as_files(tmp_path: Path, pki: Pki, cert_inline: bool, key_inline: bool) -> None:
    user: dict[str, Any] = {"client-certificate": "gone.crt", "client-key": "gone.key"}
    if cert_inline:
        user["client-certificate-data"] = b64(pki.client_cert)
    else:
        user["client-certificate"] = os.path.relpath(pki.client_cert, tmp_path)
    if key_inline:
        user["client-key-data"] = b64(pki.client_key)
    else:
        user["client-key"] = os.path.relpath(pki.client_key, tmp_path)
    before = set(Path("/tmp").iterdir())
    descriptors = len(os.listdir("/proc/self/fd"))
    endpoint = load(written(tmp_path, document(pki, {"certificate-authority-data": b64(pki.ca)}, user)))
    assert endpoint.ssl_context()
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert not [p for p in set(Path("/tmp").iterdir()) - before if p.suffix == ".pem" or "client" in p.name]
    assert "PRIVATE" not in repr(endpoint)


BAD_CLUSTERS = [
    ({"server": None}, "server must be"),
    ({"server": "ftp://x"}, "server must be"),
    ({"server": "https://"}, "server must be"),
    ({"server": "https://x:http"}, "server must be"),
    ({"server": ["https://x"]}, "server must be"),
    ({"certificate-authority": "/no/such/ca.crt"}, "/no/such/ca.crt: not a PEM file of CA certificates: No such file"),
    ({"certificate-authority": None, "certificate-authority-data": "AAAA"}, "certificate-authority-data: not a PEM"),
    ({"certificate-authority-data": "not base64!"}, "certificate-authority-data is not base64"),
    ({"certificate-authority-data": "ümlaut"}, "certificate-authority-data is not base64"),
    ({"insecure-skip-tls-verify": "false"}, "insecure-skip-tls-verify must be true or false, found 'false'"),
]


@pytest.mark.parametrize(("cluster", "says"), BAD_CLUSTERS)
def test_bad_clusters(tmp_path: Path, pki: Pki, cluster: dict[str, Any], says: str) -> None:
    path = written(tmp_path, document(pki, cluster))
    with pytest.raises(KubeconfigError) as caught:
        load(path)
    assert str(path) in str(caught.value) and says in str(caught.value)


BAD_USERS = [
    ({"exec": {"command": "aws"}}, "exec is not supported; use client-certificate"),
    ({"auth-provider": {"name": "gcp"}}, "auth-provider is not supported"),
    ({"username": "u", "password": "p"}, "username is not supported"),
    ({"token": 5}, "token must be one word"),
    ({"token": "a\nb"}, "token must be one word"),
    ({"client-certificate": "a.crt"}, "client-key is missing"),
    ({"client-key-data": "AAAA"}, "client-certificate is missing"),
    ({"client-certificate": "a.crt", "client-key": "a.key"}, "a.crt: the client's certificate or key is missing"),
    ({"client-certificate-data": "AAAA", "client-key-data": "AAAA"}, "client-key-data: not a PEM certificate"),
    ({"client-certificate-data": "%%%", "client-key-data": "AAAA"}, "client-certificate-data is not base64"),
]


@pytest.mark.parametrize(("user", "says"), BAD_USERS)
def test_bad_users(tmp_path: Path, pki: Pki, user: dict[str, Any], says: str) -> None:
    path = written(tmp_path, document(pki, user=user))
    with pytest.raises(KubeconfigError) as caught:
        load(path)
    assert str(path) in str(caught.value) and says in str(caught.value)


def test_a_certificate_with_another_key(tmp_path: Path, pki: Pki) -> None:
    user = {"client-certificate-data": b64(pki.client_cert), "client-key-data": b64(pki.server_key)}
    with pytest.raises(KubeconfigError, match="not a PEM certificate and its own key"):
        load(written(tmp_path, document(pki, user=user)))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "expected a mapping"),
        ("[1, 2]", "expected a mapping"),
        ("a: [", "not a kubeconfig"),
        ("\x00", "not a kubeconfig"),
        ("kind: Config", "no current-context"),
        ("current-context: none", "no entry named 'none' in contexts"),
        ("current-context: x\ncontexts: 5", "no entry named 'x' in contexts"),
        ("current-context: x\ncontexts: [{name: x}]", "in clusters"),
        ("current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\nclusters: [{name: c}]", "server must be"),
    ],
)
def test_bad_files(tmp_path: Path, content: str, says: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(KubeconfigError) as caught:
        load(path)
    assert str(path) in str(caught.value) and says in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(KubeconfigError, match="no such file; `pybernetes kubeconfig` prints one"):
        load(tmp_path / "none")
    with pytest.raises(KubeconfigError, match=r"not a kubeconfig: .*directory"):
        load(tmp_path)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(KubeconfigError, match="not a kubeconfig"):
        load(tmp_path / "binary")


def test_another_context(tmp_path: Path, pki: Pki) -> None:
    path = written(tmp_path, document(pki))
    assert load(path, "x").token == "secret"
    with pytest.raises(KubeconfigError, match="no entry named 'z' in clusters"):
        load(path, "y")
    with pytest.raises(KubeconfigError, match="no entry named 'q' in contexts"):
        load(path, "q")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["x", "c", "u", "https://h"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["name", "cluster", "context", "user", "server", "token", "tokenFile", "contexts", "clusters", "users",
             "current-context", "client-key-data", "client-certificate", "insecure-skip-tls-verify", "exec"]
        ),
        inner,
        max_size=5,
    ),
    max_leaves=30,
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON, JSON, JSON)
def test_any_document_loads_or_is_refused(tmp_path: Path, cluster: Any, user: Any, document: Any) -> None:
    contexts = [{"name": "x", "context": {"cluster": "c", "user": "u"}}]
    shaped = {"clusters": [{"name": "c", "cluster": cluster}], "users": [{"name": "u", "user": user}]}
    for content in ({**shaped, "contexts": contexts, "current-context": "x"}, document):
        try:
            assert isinstance(load(written(tmp_path, content)), Endpoint)
        except KubeconfigError as error:
            assert str(tmp_path / "config") in str(error)


def test_rotated_token_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    file = TokenFile(path)
    assert file.read() == "first"
    # As a projected volume does it: another file under the same name, within the same tick of the clock.
    old = path.stat()
    (tmp_path / "next").write_text("other\n")
    os.utime(tmp_path / "next", ns=(old.st_atime_ns, old.st_mtime_ns))
    (tmp_path / "next").rename(path)
    assert file.read() == "other"
    path.write_text("")
    assert file.read() == "other", "a file that is being written"
    path.unlink()
    assert file.read() == "other"
    path.write_text("third")
    assert file.read() == "third"


@pytest.mark.parametrize("content", [None, "", "two words", "a\nb", "ümlaut"])
def test_a_bad_token_file_is_named(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(Unusable, match=str(path)):
        TokenFile(path).read()
