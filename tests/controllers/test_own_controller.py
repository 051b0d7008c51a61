"""docs/extending/controller.md: the page's own code, performed. A loop over owners of pods fits in 60 lines."""

import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.pod import Pod
from pybernetes.cli import controller_manager
from pybernetes.controllers.config import Config
from pybernetes.controllers.manager import CONTROLLERS

from .fake_api import Refused
from .world import World, load

PAGE = Path(__file__).parent.parent.parent / "docs/extending/controller.md"
CODE = "".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def page() -> Any:
    """The names that the page's code defines."""
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(CODE, str(PAGE), "exec"), names)
    return names


def run_once(replicas: int, **labels: str) -> ReplicaSet:
    template = {"metadata": {"labels": {"app": "job"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return load(
        ReplicaSet,
        metadata={"name": "job", "namespace": "default", "labels": labels},
        spec={"replicas": replicas, "selector": {"matchLabels": {"app": "job"}}, "template": template},
    )


def test_the_page_is_short() -> None:
    assert len([line for line in CODE.splitlines() if line.strip()]) < 60


async def test_pods_run_to_completion(page: dict[str, Any]) -> None:
    async with World(page["RunOnceController"]) as world:
        await world.start()
        await world.create(run_once(3, **{"example.com/run-once": ""}))
        await world.settle()
        first, second, third = await world.pods()
        await world.set_pods(pods=[first], phase="Succeeded")
        await world.set_pods(pods=[second], phase="Failed")
        assert len(await world.pods()) == 4, "the failed one is replaced"
        await world.set_pods(pods=[pod for pod in await world.pods() if pod is not second], phase="Succeeded")
        found = await world.get(ReplicaSet, "job")
        assert (found.status.available_replicas, found.status.observed_generation) == (4, 1) and third.metadata.uid


async def test_what_the_base_does(page: dict[str, Any]) -> None:
    """Adoption, slow start, expectations: nothing of it is in the page's code."""
    async with World(page["RunOnceController"]) as world:
        world.api.fail = lambda r: (
            Refused(403, "Forbidden", "no") if r.method == "POST" and r.path.endswith("/pods") else None
        )
        await world.start()
        await world.create(run_once(1000, **{"example.com/run-once": ""}))
        await world.settle()
        assert world.recorder.reasons().count("FailedCreate") < 20, "a refused template is tried slowly"
        world.api.fail = lambda _: None
        await world.client.of(ReplicaSet).patch("job", {"spec": {"replicas": 2}}, namespace="default")
        await world.advance(40)
        assert len(await world.pods()) == 2
        orphan = load(Pod, metadata={"name": "mine", "namespace": "default", "labels": {"app": "job"}})
        await world.create(orphan)
        await world.settle()
        assert (await world.get(Pod, "mine")).metadata.owner_references[0].name == "job", "it is adopted"
        assert len(await world.pods()) == 3


async def test_sets_without_the_label_are_left_alone(page: dict[str, Any]) -> None:
    async with World(page["RunOnceController"]) as world:
        await world.start()
        await world.create(run_once(3))
        await world.settle()
        assert await world.pods() == []


def test_its_section_makes_its_flags(page: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    made = controller_manager.flags_class((*CONTROLLERS, page["RunOnceController"]))
    flag = next(one for one in fields(made) if one.name == "concurrent_run_once_syncs")
    assert flag.default == 2
    flags = made(concurrent_run_once_syncs=7, concurrent_gc_syncs=3)
    config = controller_manager.settings(flags, (*CONTROLLERS, page["RunOnceController"]))
    assert config.of(page["RunOnceConfig"]).workers == 7
    assert Config().of(page["RunOnceConfig"]).workers == 2


def test_names_and_components_are_declared_once() -> None:
    names = [controller.name for controller in CONTROLLERS]
    assert len(names) == len(set(names))
    flags = [flag.name for flag in fields(controller_manager.Flags)]
    assert len(flags) == len(set(flags))
