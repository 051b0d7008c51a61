"""The recipe of docs/extending/scheduler-plugin.md: a plugin from outside, enabled by a configuration."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.errors import Unreachable
from pybernetes.scheduler.config import Config, from_configuration
from pybernetes.scheduler.configuration import decode
from pybernetes.scheduler.registry import IN_TREE

from .conftest import Running, Unreliable
from .make import node, pod
from .test_binding_failures import is_binding
from .test_scheduler import events, put_node, wait_bound, wait_condition

PAGE = Path(__file__).parents[2] / "docs/extending/scheduler-plugin.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    """The module that the page shows, assembled from its Python blocks."""
    module = ModuleType("licences")
    for block in blocks("python"):
        exec(compile(block, str(PAGE), "exec"), module.__dict__)
    return module


@pytest.fixture
async def scheduler(client: Client, licences: ModuleType) -> AsyncIterator[Running]:
    (document,) = blocks("yaml")
    found = from_configuration(decode(yaml.safe_load(document)))
    config = Config(profiles=found.profiles, initial_backoff=0.05, max_backoff=0.2)
    running = Running(client, config, registry=(*IN_TREE, licences.LICENCES))
    running.start()
    yield running
    await running.stop()


def wants(name: str, licences: int, **more: Any) -> Pod:
    made = pod(name, **more)
    made.metadata.annotations = {"example.com/licences": str(licences)}
    made.spec.scheduler_name = "licensed"
    return made


async def licence_server(client: Client, **by_node: str) -> ConfigMap:
    return await client.of(ConfigMap).create(
        ConfigMap(metadata=ObjectMeta(name="licences", namespace="default"), data=dict(by_node))
    )


async def test_filter_score_reserve_and_pre_bind(client: Client, scheduler: Running) -> None:
    await licence_server(client, few="A", many="B C D")
    await put_node(client, node("few"))
    await put_node(client, node("many"))
    await scheduler.until(lambda: len(scheduler.scheduler.snapshot.nodes) == 2)
    await client.of(Pod).create(wants("first", 1))
    first = await wait_bound(client, scheduler, "first")
    assert first.spec.node_name == "many", "the score prefers the node with more free licences"
    assert first.metadata.annotations["example.com/licence-keys"] == "B", "PreBind has written to the pod"
    await client.of(Pod).create(wants("second", 2))
    second = await wait_bound(client, scheduler, "second")
    assert second.spec.node_name == "many"
    assert second.metadata.annotations["example.com/licence-keys"] == "C D", "no key is given twice"
    await client.of(Pod).create(wants("third", 2))
    message = await wait_condition(scheduler, "third", "Unschedulable")
    assert message.startswith("0/2 nodes are available: 2 node(s) had too few licences.")
    assert "2 node(s) had too few licences" in (await events(client, scheduler, "FailedScheduling"))[0]


async def test_a_refused_pod_waits_for_the_events_that_the_plugin_registered(
    client: Client, scheduler: Running
) -> None:
    server = await licence_server(client)
    await put_node(client, node("node-1"))
    await client.of(Pod).create(wants("web", 1))
    await wait_condition(scheduler, "web", "Unschedulable")
    server.data["node-1"] = "A"
    await client.of(ConfigMap).update(server)
    assert (await wait_bound(client, scheduler, "web")).spec.node_name == "node-1"


async def test_what_fails_after_reserve_gives_the_reservation_back(
    client: Client, scheduler: Running, transport: Unreliable
) -> None:
    await licence_server(client, **{"node-1": "A"})
    await put_node(client, node("node-1"))
    failures = [Unreachable("lost"), Unreachable("lost")]
    transport.fail = lambda request: failures.pop() if failures and is_binding(request) else None
    await client.of(Pod).create(wants("web", 1))
    await wait_bound(client, scheduler, "web")
    assert not failures


async def test_pods_of_the_other_profile_are_not_affected(client: Client, scheduler: Running) -> None:
    await put_node(client, node("node-1"))
    await client.of(Pod).create(pod("plain"))
    assert (await wait_bound(client, scheduler, "plain")).spec.node_name == "node-1"
    assert list(scheduler.recorders) == ["default-scheduler", "licensed"]
