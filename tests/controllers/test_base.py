"""What all controllers share: retries, one key at a time, expectations, claims, the manager's list."""

import asyncio
from datetime import timedelta
from typing import cast

import msgspec
import pytest

from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import LabelSelector, Object, OwnerReference, Status
from pybernetes.client.errors import Conflict, ServerError, Unreachable
from pybernetes.client.informer import Cache, Informer, key_of
from pybernetes.controllers.base import Controller
from pybernetes.controllers.expectations import TIMEOUT, Expectations
from pybernetes.controllers.manager import CONTROLLERS
from pybernetes.controllers.ownership import claim, controller_ref, index_by_controller
from pybernetes.controllers.podcontrol import slow_start
from pybernetes.controllers.selectors import matches
from pybernetes.controllers.types import Context

from .world import START, World, load


class Probe(Controller):
    """Fails as reported, and remembers when it was called."""

    name = "probe"
    component = "probe"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.errors: list[Exception] = []
        self.calls: list[float] = []
        self.active = self.most = 0
        self.watch(ConfigMap, lambda old, new: [key_of(cast("Object", new or old))])

    async def reconcile(self, key: str) -> float | None:
        self.calls.append((self.context.clock.now() - START).total_seconds())
        self.active += 1
        self.most = max(self.most, self.active)
        await asyncio.sleep(0)
        self.active -= 1
        if self.errors:
            raise self.errors.pop(0)
        return None


async def probed(*errors: Exception) -> list[float]:
    """The times of the calls for one key, when the first ones fail like this."""
    async with World(Probe) as world:
        await world.start()
        probe = cast("Probe", world.controllers[0])
        probe.errors = list(errors)
        await world.create(load(ConfigMap, metadata={"name": "c", "namespace": "default"}))
        await world.advance(100)
        assert probe.queue.failures("default/c") == 0
        return [when - probe.calls[0] for when in probe.calls]


async def test_errors_back_off_and_conflicts_are_retried_soon() -> None:
    refused = [ServerError(Status(code=500)) for _ in range(10)]
    assert len(await probed(*refused)) == 11
    assert (await probed(*refused))[-1] > 4
    conflicts = [Conflict(Status(code=409)) for _ in range(10)]
    assert (await probed(*conflicts))[-1] < 3


@pytest.mark.parametrize("error", [Unreachable("gone"), KeyError("a bug")])
async def test_no_error_ends_a_worker(error: Exception) -> None:
    assert len(await probed(error)) == 2


async def test_key_is_never_processed_twice_at_once() -> None:
    async with World(Probe) as world:
        await world.start()
        probe = cast("Probe", world.controllers[0])
        for _ in range(20):
            probe.queue.add("same")
            await asyncio.sleep(0)
        await world.settle()
        assert probe.most == 1 and len(probe.calls) > 1


class _Informer:
    """The part of an informer that expectations see."""

    def __init__(self) -> None:
        self.revision = 10
        self.cache: Cache[Object] = Cache()


def pod(name: str, uid: str, revision: int = 0, **meta: object) -> Pod:
    return load(
        Pod, metadata={"name": name, "namespace": "default", "uid": uid, "resourceVersion": str(revision), **meta}
    )


def test_expectations_wait_for_own_writes() -> None:
    informer, now = _Informer(), [START]
    expectations = Expectations(cast("Informer[Object]", informer), lambda: now[0])
    assert expectations.satisfied("k")
    expectations.wrote("k", pod("a", "1", 12))
    assert not expectations.satisfied("k") and expectations.satisfied("other")
    informer.revision = 12
    assert expectations.satisfied("k")
    informer.cache.put(pod("a", "1", 12))
    expectations.deleted("k", pod("a", "1", 12))
    assert expectations.is_deleted("k", pod("a", "1")) and not expectations.is_deleted("k", pod("a", "2"))
    assert not expectations.satisfied("k")
    informer.cache.put(pod("a", "1", 13, deletionTimestamp="2026-01-01T00:00:00Z"))
    assert expectations.satisfied("k")
    expectations.deleted("k", pod("a", "1"))
    informer.cache.put(pod("a", "2", 14))
    assert expectations.satisfied("k")


def test_expectations_expire() -> None:
    informer, now = _Informer(), [START]
    expectations = Expectations(cast("Informer[Object]", informer), lambda: now[0])
    expectations.wrote("k", pod("a", "1", 99))
    expectations.wrote("odd", msgspec.structs.replace(pod("a", "1"), metadata=load(Pod, metadata={}).metadata))
    assert expectations.satisfied("odd")
    now[0] = START + timedelta(seconds=TIMEOUT + 1)
    assert expectations.satisfied("k")


async def test_slow_start_stops_at_the_first_failed_batch() -> None:
    tried: list[int] = []

    async def work(number: int) -> None:
        tried.append(number)
        if number == 4:
            raise Unreachable("x")

    with pytest.raises(Unreachable):
        await slow_start(range(100), work)
    assert tried == [0, 1, 2, 3, 4, 5, 6]


def test_claims() -> None:
    owner = load(ReplicaSet, metadata={"name": "web", "namespace": "default", "uid": "o"})
    other_owner = OwnerReference(kind="X", name="x", uid="x", controller=True)
    cache: Cache[Pod] = Cache()
    index_by_controller(cache)
    for name, app, refs in [
        ("mine", "web", [controller_ref(owner)]),
        ("left", "other", [controller_ref(owner)]),
        ("stray", "web", []),
        ("theirs", "web", [other_owner]),
    ]:
        made = pod(name, name, labels={"app": app})
        made.metadata.owner_references = refs
        cache.put(made)
    selector = LabelSelector(match_labels={"app": "web"})
    found = claim(owner, cache, lambda item: matches(selector, item.metadata.labels))
    names = [[item.metadata.name for item in items] for items in (found.owned, found.adopt, found.release)]
    assert names == [["mine"], ["stray"], ["left"]]
    owner.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    going = claim(owner, cache, lambda item: matches(selector, item.metadata.labels))
    assert (len(going.owned), going.adopt, going.release) == (1, [], [])


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["a"], True),
        ("NotIn", ["a"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Strange", ["a"], False),
    ],
)
def test_selectors(operator: str, values: list[str], expected: bool) -> None:
    selector = msgspec.convert(
        {"matchExpressions": [{"key": "k", "operator": operator, "values": values}]}, LabelSelector
    )
    assert matches(selector, {"k": "a"}) is expected
    assert matches(selector, {}) is (operator in ("NotIn", "DoesNotExist"))


def test_every_controller_is_listed_once_under_its_own_name() -> None:
    names = [controller.name for controller in CONTROLLERS]
    assert len(names) == len(set(names)) == 18
    assert all(controller.component and controller.__module__.startswith("pybernetes.") for controller in CONTROLLERS)
