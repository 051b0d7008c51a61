"""A server on a store in a temporary directory, in process and over TLS, and a kubectl configured for it."""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509

from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver import codec
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.http import Listening, TlsFiles, serve_https
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import ApiServer, build_server
from pybernetes.apiserver.types import Attributes, Decision, User
from pybernetes.client.client import Client
from pybernetes.client.transport import Request, Response
from pybernetes.store.sqlite import SqliteStore

from .certs import Pki, make_pki

ADMIN = User("admin", ("system:masters", "system:authenticated"))


class CertificateUsers:
    """The common name is the user, organizations are groups."""

    async def authenticate(self, headers: Mapping[str, str], certificate: x509.Certificate | None) -> User | None:
        if certificate is None:
            return None
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        groups = certificate.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
        return User(str(names[0].value), (*(str(g.value) for g in groups), "system:authenticated"))


class MastersOnly:
    """Members of system:masters may do everything, others nothing."""

    def authorize(self, attributes: Attributes) -> Decision:
        return Decision("system:masters" in attributes.user.groups)


class Api:
    """Raw requests to a server in process."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server

    async def __call__(
        self,
        method: str,
        url: str,
        body: object = b"",
        *,
        user: User = ADMIN,
        content_type: str = "application/json",
        **headers: str,
    ) -> Response:
        from urllib.parse import parse_qsl

        import msgspec

        path, _, query = url.partition("?")
        raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {"content-type": content_type, **{k.replace("_", "-"): v for k, v in headers.items()}}
        request = Request(
            method=method,
            path=path,
            query=tuple(parse_qsl(query, keep_blank_values=True)),
            headers=sent,
            body=raw,
        )
        return await InProcessTransport(self.server, user).request(request)

    async def json(self, method: str, url: str, body: object = b"", *, status: int = 200, **more: str) -> dict:
        import msgspec

        answer = await self(method, url, body, **more)
        assert answer.status == status, answer.body
        found: dict = msgspec.json.decode(answer.body)
        return found


@pytest.fixture
def config() -> ServerConfig:
    return ServerConfig(advertise_address="192.0.2.10")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "state.db", stamp=codec.stamp)
    yield opened
    await opened.close()


@pytest.fixture
async def server(store: SqliteStore, config: ServerConfig) -> AsyncIterator[ApiServer]:
    made = build_server(config, store, CertificateUsers(), MastersOnly(), rng=random.Random(1))
    await made.start()
    await (
        Client(InProcessTransport(made, ADMIN))
        .of(ServiceAccount)
        .create(ServiceAccount(metadata=ObjectMeta(name="default", namespace="default")))
    )
    yield made
    await made.close()


@pytest.fixture
def api(server: ApiServer) -> Api:
    return Api(server)


@pytest.fixture
def client(server: ApiServer) -> Client:
    return Client(InProcessTransport(server, ADMIN))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture
async def https(server: ApiServer, pki: Pki) -> AsyncIterator[Listening]:
    tls = TlsFiles(certificate=pki.server_cert, key=pki.server_key, client_ca=pki.ca)
    listening = await serve_https(server, "127.0.0.1", 0, tls)
    yield listening
    await listening.close(0.5)


class Kubectl:
    """Runs a kubectl binary against a server."""

    def __init__(self, binary: str, kubeconfig: Path) -> None:
        self._binary = binary
        self._env = {"KUBECONFIG": str(kubeconfig), "HOME": str(kubeconfig.parent), "PATH": os.environ["PATH"]}

    async def run(self, *args: str, stdin: str = "") -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            self._binary,
            *args,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=self._env,
        )
        out, err = await asyncio.wait_for(process.communicate(stdin.encode()), 60)
        return process.returncode or 0, out.decode(), err.decode()

    async def __call__(self, *args: str, stdin: str = "") -> str:
        code, out, err = await self.run(*args, stdin=stdin)
        assert code == 0, f"kubectl {' '.join(args)}: {out}{err}"
        return out


def kubeconfig(pki: Pki, port: int, path: Path) -> Path:
    path.write_text(
        f"""apiVersion: v1
kind: Config
clusters: [{{name: t, cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: {pki.ca}}}}}]
users: [{{name: t, user: {{client-certificate: {pki.client_cert}, client-key: {pki.client_key}}}}}]
contexts: [{{name: t, context: {{cluster: t, user: t}}}}]
current-context: t
"""
    )
    return path


@pytest.fixture
def kubectl(request: pytest.FixtureRequest, https: Listening, pki: Pki, tmp_path: Path) -> Kubectl:
    binary = getattr(request, "param", "kubectl")
    return Kubectl(binary, kubeconfig(pki, https.port, tmp_path / "kubeconfig"))
