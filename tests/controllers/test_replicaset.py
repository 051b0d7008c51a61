"""ReplicaSets and ReplicationControllers keep their number of pods."""

from datetime import timedelta

import pytest

from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.client.transport import Request
from pybernetes.controllers.config import Config, ReplicaSetConfig
from pybernetes.controllers.pods import deletion_rank
from pybernetes.controllers.replicaset import ReplicaSetController, excess
from pybernetes.controllers.replicationcontroller import ReplicationControllerController
from pybernetes.controllers.times import stamp

from .fake_api import Refused
from .world import START, World, load

LABELS = {"app": "web"}


def replica_set(replicas: int = 3, **spec: object) -> ReplicaSet:
    template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return load(
        ReplicaSet,
        metadata={"name": "web", "namespace": "default"},
        spec={"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template, **spec},
    )


def pod(name: str, node: str = "n1", phase: str = "Running", ready: float | None = 100.0, **meta: object) -> Pod:
    conditions = []
    if ready is not None:
        since = stamp(START - timedelta(seconds=ready))
        conditions = [{"type": "Ready", "status": "True", "lastTransitionTime": since}]
    return load(
        Pod,
        metadata={"name": name, "uid": name, "creationTimestamp": stamp(START - timedelta(seconds=200)), **meta},
        spec={"nodeName": node},
        status={"phase": phase, "conditions": conditions},
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pod("a", node=""), pod("b")),
        (pod("a", phase="Pending"), pod("b", phase="Unknown")),
        (pod("a", phase="Unknown"), pod("b")),
        (pod("a", ready=None), pod("b")),
        (pod("a", annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}), pod("b")),
        (pod("a", node="crowded"), pod("b", node="n1")),
        (pod("a", ready=3), pod("b", ready=1000)),
        (
            pod("a", creationTimestamp=stamp(START - timedelta(seconds=150))),
            pod("b", creationTimestamp="2020-01-01T00:00:00Z"),
        ),
    ],
)
def test_less_useful_pods_are_deleted_first(first: Pod, second: Pod) -> None:
    crowd = {"crowded": 3, "n1": 1}
    assert deletion_rank(first, crowd, START) < deletion_rank(second, crowd, START)


def test_a_bad_deletion_cost_counts_as_none() -> None:
    odd = pod("a", annotations={"controller.kubernetes.io/pod-deletion-cost": "much"})
    assert deletion_rank(odd, {}, START) == deletion_rank(pod("a"), {}, START)


def test_no_more_pods_are_deleted_than_necessary() -> None:
    pods = [pod(f"p{i}") for i in range(10)]
    assert len(excess(pods, 4, pods, START)) == 4
    assert excess(pods, 0, pods, START) == []


async def test_a_pass_creates_and_deletes_a_burst_and_the_next_one_goes_on() -> None:
    async with World(ReplicaSetController, config=Config(ReplicaSetConfig(burst_replicas=4))) as world:
        await world.start()
        await world.create(replica_set(10))
        await world.settle()
        assert len(await world.pods()) == 10
        await world.client.of(ReplicaSet).patch("web", {"spec": {"replicas": 1}}, namespace="default")
        await world.settle()
        assert len(await world.pods()) == 1


async def test_a_status_that_meets_a_conflict_is_written_on_the_latest_version() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        await world.create(replica_set(1))
        await world.settle()
        writes: list[str] = []

        def interfere(request: Request) -> None:
            """Another client changes a label just before the status arrives."""
            if request.method == "PUT" and request.path.endswith("/status"):
                writes.append(request.path)
                if len(writes) == 1:
                    stored = world.api.objects["replicasets.apps"]["default", "web"]
                    changed = {**stored, "metadata": {**stored["metadata"], "labels": {"by": "other"}}}
                    kind = world.api.resources["apps", "v1", "replicasets"]
                    world.api._commit(kind, "default", "web", "MODIFIED", changed)

        world.api.fail = interfere
        await world.set_pods(ready=True)
        found = await world.get(ReplicaSet, "web")
        assert (found.status.ready_replicas, found.metadata.labels) == (1, {"by": "other"})
        assert len(writes) >= 2, "the first one was refused"


async def test_creates_counts_and_replaces_pods() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        await world.create(replica_set(3))
        await world.settle()
        pods = await world.pods()
        assert len(pods) == 3
        assert {p.metadata.labels["app"] for p in pods} == {"web"}
        assert all(p.metadata.owner_references[0].controller for p in pods)
        await world.set_pods()
        status = (await world.get(ReplicaSet, "web")).status
        assert (status.replicas, status.ready_replicas, status.available_replicas) == (3, 3, 3)
        assert status.fully_labeled_replicas == 3 and status.observed_generation == 1
        await world.client.of(Pod).delete(pods[0].metadata.name, namespace="default")
        await world.settle()
        assert len(await world.pods()) == 3
        assert world.recorder.reasons().count("SuccessfulCreate") == 4


async def test_scales_down_the_least_useful() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        await world.create(replica_set(4))
        await world.settle()
        pods = await world.pods()
        await world.set_pods(pods=pods[:2])
        await world.client.of(ReplicaSet).patch("web", {"spec": {"replicas": 2}}, namespace="default")
        await world.settle()
        assert {p.metadata.name for p in await world.pods()} == {p.metadata.name for p in pods[:2]}
        assert world.recorder.reasons().count("SuccessfulDelete") == 2


async def test_adopts_and_releases() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        await world.create(load(Pod, metadata={"name": "stray", "namespace": "default", "labels": LABELS}))
        await world.create(replica_set(2))
        await world.settle()
        stray = await world.get(Pod, "stray")
        assert stray.metadata.owner_references[0].name == "web"
        assert len(await world.pods()) == 2
        await world.client.of(Pod).patch("stray", {"metadata": {"labels": {"app": "other"}}}, namespace="default")
        await world.settle()
        assert (await world.get(Pod, "stray")).metadata.owner_references == []
        assert len(await world.pods()) == 3


async def test_min_ready_seconds_makes_pods_available_later() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        await world.create(replica_set(2, minReadySeconds=30))
        await world.settle()
        await world.set_pods()
        assert (await world.get(ReplicaSet, "web")).status.available_replicas == 0
        await world.advance(31)
        assert (await world.get(ReplicaSet, "web")).status.available_replicas == 2


async def test_refused_template_is_tried_slowly_and_reported() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        world.api.fail = lambda r: (
            Refused(403, "Forbidden", "exceeded quota") if r.method == "POST" and r.path.endswith("/pods") else None
        )
        await world.create(replica_set(100))
        await world._quiet()
        assert world.recorder.reasons().count("FailedCreate") < 3
        failed = (await world.get(ReplicaSet, "web")).status.conditions[0]
        assert (failed.type, failed.reason, failed.message) == ("ReplicaFailure", "FailedCreate", "exceeded quota")
        world.api.fail = lambda r: None
        await world.advance(60)
        assert len(await world.pods()) == 100
        assert (await world.get(ReplicaSet, "web")).status.conditions == []


async def test_never_creates_twice_while_the_cache_lags() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        controller = world.controllers[0]
        await world.create(replica_set(5))
        await world.settle()
        for _ in range(10):
            controller.queue.add("default/web")
            await world.client.of(ReplicaSet).patch(
                "web", {"metadata": {"annotations": {"x": "y"}}}, namespace="default"
            )
        await world.settle()
        assert len(world.api.objects["pods"]) == 5


async def test_deleted_set_creates_no_pods() -> None:
    async with World(ReplicaSetController) as world:
        await world.start()
        held = replica_set(2)
        held.metadata.finalizers = ["example.com/hold"]
        await world.create(held)
        await world.settle()
        await world.client.of(ReplicaSet).delete("web", namespace="default")
        await world.client.of(Pod).delete((await world.pods())[0].metadata.name, namespace="default")
        await world.settle()
        assert len(await world.pods()) == 1


async def test_replication_controller() -> None:
    async with World(ReplicationControllerController) as world:
        await world.start()
        template = {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c"}]}}
        spec = {"replicas": 2, "selector": LABELS, "template": template}
        await world.create(load(ReplicationController, metadata={"name": "rc", "namespace": "default"}, spec=spec))
        await world.settle()
        await world.set_pods()
        status = (await world.get(ReplicationController, "rc")).status
        assert (status.replicas, status.available_replicas) == (2, 2)
