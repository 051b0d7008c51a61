"""An API server with a store in a temporary directory: in process, and over HTTPS with its own certificates."""

import random
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from cryptography import x509

from apiserver.certs import Pki, make_pki
from pybernetes.apiserver import bootstrap, codec
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.http import Listening, TlsFiles, serve_https
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import ApiServer, build_server
from pybernetes.apiserver.types import Attributes, Decision, User
from pybernetes.client.client import Client
from pybernetes.client.http import Endpoint, HttpTransport
from pybernetes.store.sqlite import SqliteStore

ADMIN = User("admin", ("system:masters", "system:authenticated"))


class AnyCertificate:
    """Any client certificate authenticates the admin."""

    async def authenticate(self, headers: Mapping[str, str], certificate: x509.Certificate | None) -> User | None:
        return ADMIN if certificate is not None else None


class AdminOnly:
    def authorize(self, attributes: Attributes) -> Decision:
        return Decision("system:masters" in attributes.user.groups)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    opened = await SqliteStore.open(tmp_path / "state.db", stamp=codec.stamp, window=200)
    yield opened
    await opened.close()


@pytest.fixture
async def server(store: SqliteStore) -> AsyncIterator[ApiServer]:
    config = ServerConfig()
    made = build_server(config, store, AnyCertificate(), AdminOnly(), rng=random.Random(1))
    await bootstrap.run(made, config)
    yield made
    await made.close()


@pytest.fixture
def client(server: ApiServer) -> Client:
    """A client in the process of the server."""
    return Client(InProcessTransport(server, ADMIN))


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    return make_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def other_pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates of another cluster."""
    return make_pki(tmp_path_factory.mktemp("other"))


@pytest.fixture
def tls(pki: Pki) -> TlsFiles:
    return TlsFiles(certificate=pki.server_cert, key=pki.server_key, client_ca=pki.ca)


@pytest.fixture
async def https(server: ApiServer, tls: TlsFiles) -> AsyncIterator[Listening]:
    listening = await serve_https(server, "127.0.0.1", 0, tls)
    yield listening
    await listening.close(0.1)


def endpoint(pki: Pki, port: int, *, ca: str = "") -> Endpoint:
    return Endpoint(
        server=f"https://127.0.0.1:{port}",
        ca_file=Path(ca or pki.ca),
        cert_file=Path(pki.client_cert),
        key_file=Path(pki.client_key),
    )


@pytest.fixture
async def remote(https: Listening, pki: Pki) -> AsyncIterator[Client]:
    """A client over HTTPS, with a client certificate."""
    made = Client(HttpTransport(endpoint(pki, https.port)))
    yield made
    await made.close()


@pytest.fixture(params=["in process", "https"])
def any_client(request: pytest.FixtureRequest, server: ApiServer) -> Client:
    """Either client: both must behave the same."""
    found: Client = request.getfixturevalue("client" if request.param == "in process" else "remote")
    return found
