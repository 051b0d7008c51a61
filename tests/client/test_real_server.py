"""Events, leases and informers against the API server, with validation and compaction."""

import asyncio
import random

import pytest

from pybernetes.api.coordination.lease import Lease
from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.event import Event
from pybernetes.api.core.node import Node
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.events import EventRecorder
from pybernetes.client.informer import Informer, key_of
from pybernetes.client.leader import LeaderConfig, LeaderElector
from pybernetes.store.sqlite import SqliteStore


async def until(true: object, seconds: float = 5.0) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # type: ignore[operator]
            await asyncio.sleep(0.005)


async def end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_events_are_accepted_and_counted(any_client: Client) -> None:
    recorder = EventRecorder(any_client, "tester", host="n1")
    task = asyncio.create_task(recorder.run(), name="events")
    thing = await any_client.of(ConfigMap).create(ConfigMap(metadata=ObjectMeta(name="thing", namespace="default")))
    node = await any_client.of(Node).create(Node(metadata=ObjectMeta(name="n1")))
    for _ in range(3):
        recorder.event(thing, "Warning", "Broke", "it broke")
    recorder.event(node, "Normal", "Ready", "it is")
    found: list[Event] = []

    async def all_there() -> bool:
        found[:] = (await any_client.of(Event).list()).items
        return sorted(event.count or 0 for event in found) == [1, 3]

    async with asyncio.timeout(5):
        while not await all_there():
            await asyncio.sleep(0.01)
    assert {event.metadata.namespace for event in found} == {"default"}
    await end(task)


@pytest.mark.slow
async def test_two_candidates_and_one_lease(any_client: Client) -> None:
    leaders: list[str] = []

    def candidate(name: str) -> asyncio.Task[None]:
        config = LeaderConfig(name="job", identity=name, lease_duration=1.0, renew_deadline=0.6, retry_period=0.05)

        async def work() -> None:
            assert not leaders
            leaders.append(name)
            try:
                await asyncio.Event().wait()
            finally:
                leaders.remove(name)

        return asyncio.create_task(LeaderElector(any_client, config).run(work), name=name)

    a, b = candidate("a"), candidate("b")
    await until(lambda: leaders)
    first = leaders[0]
    await end(a if first == "a" else b)
    await until(lambda: leaders and leaders[0] != first)
    lease = await any_client.of(Lease).get("job", namespace="kube-system")
    assert lease.spec.holder_identity == leaders[0] and lease.spec.lease_transitions == 1
    await end(a, b)


@pytest.mark.slow
async def test_informer_survives_compactions_and_restarts(
    any_client: Client, client: Client, store: SqliteStore
) -> None:
    """Writers and a compactor work while the informer's task is cancelled and started again: the copy stays correct."""
    rng = random.Random(7)
    maps = client.of(ConfigMap)
    informer = Informer(any_client.of(ConfigMap), namespace="default")
    known: dict[str, str] = {}

    def follow(old: ConfigMap | None, new: ConfigMap | None) -> None:
        obj = new or old
        assert obj is not None
        if new is None:
            del known[key_of(obj)]
            return
        assert known.get(key_of(obj)) != new.metadata.resource_version, "reported twice"
        known[key_of(obj)] = new.metadata.resource_version

    informer.add_handler(follow)
    task = asyncio.create_task(informer.run(), name="informer")
    there: set[str] = set()
    for turn in range(300):
        name = f"m{rng.randrange(20)}"
        if name not in there:
            await maps.create(ConfigMap(metadata=ObjectMeta(name=name, namespace="default")))
            there.add(name)
        elif rng.random() < 0.5:
            await maps.patch(name, {"data": {"turn": str(turn)}}, namespace="default")
        else:
            await maps.delete(name, namespace="default")
            there.discard(name)
        if turn % 50 == 20:
            await end(task)
        if turn % 50 == 40:
            if turn % 100 == 40:
                await store.compact(store.revision)
            task = asyncio.create_task(informer.run(), name="informer")
    true = {key_of(obj): obj.metadata.resource_version for obj in (await maps.list(namespace="default")).items}
    await until(lambda: known == true)
    assert {key_of(obj): obj.metadata.resource_version for obj in informer.cache.all()} == true
    await end(task)
