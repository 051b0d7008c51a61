"""The Deployment controller: roll-outs, roll-backs, pauses, deadlines and history."""

from typing import Any

import pytest

from pybernetes.api.apps.deployment import Deployment, DeploymentCondition
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.pod import Pod
from pybernetes.controllers.deployment import DeploymentController
from pybernetes.controllers.deployment_revisions import MAX_REPLICAS, REVISION, REVISION_HISTORY, safe_hash
from pybernetes.controllers.replicaset import ReplicaSetController

from .fake_api import Refused
from .world import World, load

LABELS = {"app": "web"}


def template(image: str = "v1") -> dict[str, Any]:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": image}]}}


def deployment(replicas: int = 3, **spec: Any) -> Deployment:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    defaults = {
        "replicas": replicas,
        "selector": {"matchLabels": LABELS},
        "template": template(),
        "strategy": rolling,
        "progressDeadlineSeconds": 600,
        "revisionHistoryLimit": 10,
    }
    return load(Deployment, metadata={"name": "web", "namespace": "default"}, spec={**defaults, **spec})


async def change(world: World, spec: dict[str, Any]) -> None:
    await world.client.of(Deployment).patch("web", {"spec": spec}, namespace="default")
    await world.settle()


async def finish(world: World) -> None:
    """Let each new pod become ready until nothing moves."""
    for _ in range(30):
        waiting = [pod for pod in await world.pods() if not pod.status.conditions]
        if not waiting:
            return
        await world.set_pods(pods=waiting)


async def sets(world: World) -> dict[str, int]:
    """image -> size"""
    found = await world.all(ReplicaSet)
    return {rs.spec.template.spec.containers[0].image: rs.spec.replicas or 0 for rs in found}


def progressing(obj: Deployment) -> DeploymentCondition:
    return next(c for c in obj.status.conditions if c.type == "Progressing")


def world_of() -> World:
    return World(DeploymentController, ReplicaSetController)


async def test_first_roll_out() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment())
        await world.settle()
        (rs,) = await world.all(ReplicaSet)
        digest = rs.metadata.labels["pod-template-hash"]
        assert rs.metadata.name == f"web-{digest}"
        assert rs.spec.selector.match_labels == {**LABELS, "pod-template-hash": digest}
        assert rs.metadata.annotations[REVISION] == "1"
        assert rs.metadata.annotations[MAX_REPLICAS] == "4"
        obj = await world.get(Deployment, "web")
        assert obj.metadata.annotations[REVISION] == "1"
        assert progressing(obj).reason in ("NewReplicaSetCreated", "ReplicaSetUpdated")
        assert world.recorder.messages("ScalingReplicaSet") == [f"Scaled up replica set {rs.metadata.name} from 0 to 3"]
        await finish(world)
        obj = await world.get(Deployment, "web")
        assert progressing(obj).reason == "NewReplicaSetAvailable"
        assert progressing(obj).message == f'ReplicaSet "{rs.metadata.name}" has successfully progressed.'
        assert obj.status.available_replicas == obj.status.updated_replicas == 3
        assert {c.type: c.reason for c in obj.status.conditions}["Available"] == "MinimumReplicasAvailable"


async def test_rolling_update_and_undo() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment())
        await world.settle()
        await finish(world)
        await change(world, {"template": template("v2")})
        assert await sets(world) == {"v1": 3, "v2": 1}
        await finish(world)
        assert await sets(world) == {"v1": 0, "v2": 3}
        assert len(world.recorder.messages("ScalingReplicaSet")) == 7
        await change(world, {"template": template("v1")})
        await finish(world)
        assert await sets(world) == {"v1": 3, "v2": 0}
        found = {rs.spec.template.spec.containers[0].image: rs for rs in await world.all(ReplicaSet)}
        assert found["v1"].metadata.annotations[REVISION] == "3"
        assert found["v1"].metadata.annotations[REVISION_HISTORY] == "1"
        assert (await world.get(Deployment, "web")).metadata.annotations[REVISION] == "3"


async def test_recreate_waits_for_the_old_pods_to_end() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment(2, strategy={"type": "Recreate"}))
        await world.settle()
        await finish(world)
        world.api.immediate_pods = False
        await change(world, {"template": template("v2")})
        assert await sets(world) == {"v1": 0}
        for pod in await world.all(Pod):
            await world.client.of(Pod).delete(pod.metadata.name, namespace="default", grace_period_seconds=0)
        await world.settle()
        assert await sets(world) == {"v1": 0, "v2": 2}


async def test_pause_and_resume() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment())
        await world.settle()
        await finish(world)
        await change(world, {"paused": True, "template": template("v2")})
        assert await sets(world) == {"v1": 3}
        assert progressing(await world.get(Deployment, "web")).reason == "DeploymentPaused"
        await change(world, {"replicas": 5})
        assert await sets(world) == {"v1": 5}
        await change(world, {"paused": False})
        await finish(world)
        assert await sets(world) == {"v1": 0, "v2": 5}


async def test_progress_deadline() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment(progressDeadlineSeconds=60))
        await world.settle()
        await world.advance(50)
        assert progressing(await world.get(Deployment, "web")).status == "True"
        await world.advance(15)
        failed = progressing(await world.get(Deployment, "web"))
        assert (failed.status, failed.reason) == ("False", "ProgressDeadlineExceeded")
        assert failed.message.endswith("has timed out progressing.")
        await finish(world)
        assert progressing(await world.get(Deployment, "web")).reason == "NewReplicaSetAvailable"


async def test_history_limit() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment(1, revisionHistoryLimit=1))
        await world.settle()
        for image in ("v1", "v2", "v3", "v4"):
            await change(world, {"template": template(image)})
            await finish(world)
        assert await sets(world) == {"v3": 0, "v4": 1}


async def test_existing_name_is_a_collision() -> None:
    async with world_of() as world:
        await world.start()
        wanted = deployment()
        digest = safe_hash(wanted.spec.template, None)
        other = load(ReplicaSet, metadata={"name": f"web-{digest}", "namespace": "default"}, spec={"replicas": 0})
        await world.create(other)
        await world.create(wanted)
        await world.settle()
        assert (await world.get(Deployment, "web")).status.collision_count == 1
        assert len(await world.all(ReplicaSet)) == 2
        assert len(await world.pods()) == 3


async def test_refused_replica_set_is_reported() -> None:
    async with world_of() as world:
        await world.start()
        world.api.fail = lambda r: (
            Refused(403, "Forbidden", "quota") if r.method == "POST" and r.path.endswith("/replicasets") else None
        )
        await world.create(deployment())
        await world.settle()
        failed = progressing(await world.get(Deployment, "web"))
        assert (failed.status, failed.reason) == ("False", "ReplicaSetCreateError")


async def test_scaling_to_zero_and_back() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment())
        await world.settle()
        await change(world, {"replicas": 0})
        assert await world.pods() == []
        await change(world, {"replicas": 2})
        assert len(await world.pods()) == 2
        assert world.recorder.messages("ScalingReplicaSet")[-1].endswith("from 0 to 2")


async def test_selecting_everything_is_refused() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment(selector={}))
        await world.settle()
        assert set(world.recorder.reasons()) == {"SelectingAll"}
        assert await world.all(ReplicaSet) == []


@pytest.mark.slow
async def test_cost_per_pod_with_five_thousand_replicas() -> None:
    async with world_of() as world:
        await world.start()
        await world.create(deployment(5000))
        for _ in range(5):
            await world.settle()
        assert len(await world.pods()) == 5000
        assert world.reconciles < 200
