"""Garbage collection and namespace deletion of kinds that were added while server and controllers run."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pybernetes.api.kind import Kind
from pybernetes.apiserver.assembly import Security, assemble
from pybernetes.apiserver.auth.signing import generate
from pybernetes.apiserver.config import ServerConfig
from pybernetes.apiserver.inprocess import InProcessTransport
from pybernetes.apiserver.resource import resource_of
from pybernetes.apiserver.server import ApiServer
from pybernetes.apiserver.types import User
from pybernetes.client.client import Client
from pybernetes.client.informer import Informers
from pybernetes.controllers.config import Config
from pybernetes.controllers.garbage import GarbageCollector
from pybernetes.controllers.manager import ControllerManager
from pybernetes.controllers.namespace import NamespaceController
from pybernetes.store.sqlite import SqliteStore

from .conftest import Api
from .widget import GADGET, WIDGET

MANAGER = User("system:kube-controller-manager", ("system:authenticated",))
GROUPS = ("system:serviceaccounts", "system:serviceaccounts:kube-system", "system:authenticated")
NAMESPACE = "/api/v1/namespaces/doomed"
each = pytest.mark.parametrize("kind", [WIDGET, GADGET], ids=["struct", "structural"])


class NoEvents:
    """Drops events."""

    def event(self, *_: Any, **__: Any) -> None:
        """Nothing reads them here."""


@pytest.fixture
async def server(store: SqliteStore, config: ServerConfig) -> AsyncIterator[ApiServer]:
    made = assemble(config, store, Security(signing_key=generate()), rng=random.Random(1))
    await made.start()
    yield made
    await made.close()


@pytest.fixture
async def controllers(server: ApiServer) -> AsyncIterator[ControllerManager]:
    def client_for(component: str) -> Client:
        user = User(f"system:serviceaccount:kube-system:{component}", GROUPS)
        return Client(InProcessTransport(server, MANAGER if component == MANAGER.name.partition(":")[2] else user))

    informers = Informers(Client(InProcessTransport(server, MANAGER)))
    manager = ControllerManager(
        client_for,
        informers,
        Config(),
        recorder_for=lambda component: NoEvents(),
        controllers=(NamespaceController, GarbageCollector),
    )
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(informers.run()), tasks.create_task(manager.run())]
        yield manager
        for task in running:
            task.cancel()


async def is_gone(api: Api, path: str) -> None:
    async with asyncio.timeout(20):
        while (await api("GET", path)).status != 404:
            await asyncio.sleep(0.05)


@each
@pytest.mark.slow
async def test_a_kind_from_run_time_is_cleaned_up(
    api: Api, server: ApiServer, controllers: ControllerManager, kind: Kind[Any]
) -> None:
    await api.json("POST", "/api/v1/namespaces", {"metadata": {"name": "doomed"}}, status=201)
    server.context.catalogue.add(resource_of(kind))
    await controllers.controllers[0].context.discovery.refresh()
    path = f"/apis/test.example.com/v1/namespaces/doomed/{kind.plural}"
    spec = {"image": "x"} if kind is GADGET else {}
    owner = await api.json("POST", path, {"metadata": {"name": "owner"}, "spec": spec}, status=201)
    reference = {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "name": "owner",
        "uid": owner["metadata"]["uid"],
    }
    owned = {"metadata": {"name": "owned", "ownerReferences": [reference]}, "spec": spec}
    await api.json("POST", path, owned, status=201)
    config_map = {"metadata": {"name": "owned", "ownerReferences": [reference]}}
    await api.json("POST", f"{NAMESPACE}/configmaps", config_map, status=201)
    await api.json("POST", path, {"metadata": {"name": "other"}, "spec": spec}, status=201)

    await api.json("DELETE", f"{path}/owner")
    await is_gone(api, f"{path}/owned")
    await is_gone(api, f"{NAMESPACE}/configmaps/owned")
    assert (await api("GET", f"{path}/other")).status == 200

    await api.json("DELETE", NAMESPACE, status=200)
    await is_gone(api, NAMESPACE)
    await is_gone(api, f"{path}/other")
