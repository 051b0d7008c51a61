"""A real API server on a store in a temporary directory, in process, with a scheduler running against it."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
from cryptography import x509

from pybernetes.api.core.service_account import ServiceAccount
from pybernetes.api.meta import ObjectMeta
from pybernetes.apiserver import bootstrap, codec
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.server import build_server
from pybernetes.apiserver.types import Attributes, Decision, User
from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informers
from pybernetes.client.transport import Request, Response
from pybernetes.scheduler.config import Config
from pybernetes.scheduler.registry import IN_TREE, Entry
from pybernetes.scheduler.scheduler import Scheduler
from pybernetes.store.sqlite import SqliteStore

ADMIN = User("admin", ("system:masters", "system:authenticated"))


class _Anonymous:
    async def authenticate(self, headers: Mapping[str, str], certificate: x509.Certificate | None) -> User | None:
        return None


class _AllowAll:
    def authorize(self, attributes: Attributes) -> Decision:
        return Decision(True)


class Unreliable(InProcessTransport):
    """Passes requests on, unless `fail` returns an error."""

    fail: Callable[[Request], Exception | None] = staticmethod(lambda request: None)

    async def request(self, request: Request) -> Response:
        error = self.fail(request)
        if error is not None:
            raise error
        return await super().request(request)


@pytest.fixture
async def transport(tmp_path: Path) -> AsyncIterator[Unreliable]:
    store = await SqliteStore.open(tmp_path / "state.db", stamp=codec.stamp)
    config = ServerConfig(advertise_address="192.0.2.10")
    server = build_server(config, store, _Anonymous(), _AllowAll(), rng=random.Random(1))
    await server.start()
    await bootstrap.run(server, config)
    made = Unreliable(server, ADMIN)
    account = ServiceAccount(metadata=ObjectMeta(name="default", namespace="default"))
    await Client(made).of(ServiceAccount).create(account)
    yield made
    await server.close()
    await store.close()


@pytest.fixture
def client(transport: Unreliable) -> Client:
    return Client(transport)


class Running:
    """A scheduler and what it needs, as tasks."""

    def __init__(self, client: Client, config: Config, registry: tuple[Entry, ...] = IN_TREE) -> None:
        self.client = client
        self.informers = Informers(client)
        self.recorders = {p.scheduler_name: EventRecorder(client, p.scheduler_name) for p in config.profiles}
        self.scheduler = Scheduler(client, self.informers, self.recorders, config, random.Random(1), registry=registry)
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for name, part in (
            ("informers", self.informers.run()),
            *((f"events of {name}", recorder.run()) for name, recorder in self.recorders.items()),
            ("scheduler", self.scheduler.run()),
        ):
            self._tasks.append(asyncio.create_task(part, name=name))

    async def until(self, condition: Callable[[], bool], seconds: float = 10.0) -> None:
        """Wait until the condition holds; a task that ends is an error."""
        async with asyncio.timeout(seconds):
            while not condition():
                for task in self._tasks:
                    if task.done():
                        task.result()
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@pytest.fixture
async def running(client: Client) -> AsyncIterator[Running]:
    made = Running(client, Config(initial_backoff=0.05, max_backoff=0.2))
    made.start()
    yield made
    await made.stop()
