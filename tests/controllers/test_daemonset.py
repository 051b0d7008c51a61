"""DaemonSets: one pod per eligible node, rolling updates, revisions."""

import json
from typing import Any

import pytest

from pybernetes.api.apps.controller_revision import ControllerRevision
from pybernetes.api.apps.daemon_set import DaemonSet
from pybernetes.api.core.affinity import NodeSelectorRequirement, Toleration
from pybernetes.api.core.node import Node, Taint
from pybernetes.api.core.pod import Pod, PodSpec
from pybernetes.controllers.daemonset import DaemonSetController
from pybernetes.controllers.daemonset_plan import eligible, node_of, pinned
from pybernetes.controllers.nodefit import fits_affinity, tolerates

from .world import World, load

LABELS = {"app": "agent"}


def template(image: str = "v1", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "c", "image": image}], **spec}}


def daemon(update: dict[str, Any] | None = None, pod: dict[str, Any] | None = None, **spec: Any) -> DaemonSet:
    strategy = {"type": "RollingUpdate", "rollingUpdate": update or {"maxSurge": 0, "maxUnavailable": 1}}
    fields = {"selector": {"matchLabels": LABELS}, "template": template(**(pod or {})), "updateStrategy": strategy}
    return load(DaemonSet, metadata={"name": "agent", "namespace": "default"}, spec={**fields, **spec})


def node(name: str, taints: list[dict[str, str]] | None = None, **labels: str) -> Node:
    return load(Node, metadata={"name": name, "labels": labels}, spec={"taints": taints or []})


@pytest.mark.parametrize(
    ("toleration", "expected"),
    [
        (Toleration(operator="Exists"), True),
        (Toleration(key="k", operator="Exists"), True),
        (Toleration(key="k", operator="Exists", effect="NoExecute"), False),
        (Toleration(key="k", value="v"), True),
        (Toleration(key="k", operator="Equal", value="w"), False),
        (Toleration(key="other", operator="Exists"), False),
        (Toleration(), False),
    ],
)
def test_tolerations(toleration: Toleration, expected: bool) -> None:
    assert tolerates(toleration, Taint(key="k", value="v", effect="NoSchedule")) is expected


@pytest.mark.parametrize(
    ("operator", "values", "expected"),
    [
        ("In", ["7"], True),
        ("NotIn", ["7"], False),
        ("Exists", [], True),
        ("DoesNotExist", [], False),
        ("Gt", ["6"], True),
        ("Lt", ["6"], False),
        ("Gt", ["x"], False),
        ("Odd", [], False),
    ],
)
def test_node_affinity(operator: str, values: list[str], expected: bool) -> None:
    rule = NodeSelectorRequirement(key="size", operator=operator, values=values)
    spec = load(
        Pod,
        spec={
            "affinity": {
                "nodeAffinity": {
                    "requiredDuringSchedulingIgnoredDuringExecution": {
                        "nodeSelectorTerms": [{}, {"matchExpressions": [rule]}]
                    }
                }
            }
        },
    ).spec
    assert fits_affinity(spec, node("n", size="7")) is expected


def test_eligibility() -> None:
    drained = [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]
    special = [{"key": "gpu", "effect": "NoSchedule"}]
    broken = [{"key": "broken", "effect": "NoExecute"}]
    assert eligible(daemon(), node("n", drained)) == (True, True)
    assert eligible(daemon(), node("n", special)) == (False, True)
    assert eligible(daemon(), node("n", broken)) == (False, False)
    assert eligible(daemon(pod={"nodeSelector": {"disk": "ssd"}}), node("n")) == (False, False)


def test_node_of_a_pinned_pod() -> None:
    assert node_of(Pod(spec=pinned(PodSpec(), "n1"))) == "n1"


async def nodes(world: World, *names: str) -> None:
    for name in names:
        await world.create(node(name))
    await world.settle()


async def images(world: World) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for pod in await world.pods():
        result.setdefault(node_of(pod), []).append(pod.spec.containers[0].image)
    return {name: sorted(result[name]) for name in sorted(result)}


def everywhere(images: dict[str, list[str]]) -> list[str]:
    return sorted(image for here in images.values() for image in here)


async def test_one_pod_per_node_and_status() -> None:
    async with World(DaemonSetController) as world:
        await world.start()
        await nodes(world, "n1", "n2")
        await world.create(daemon())
        await world.settle()
        assert await images(world) == {"n1": ["v1"], "n2": ["v1"]}
        await world.set_pods()
        status = (await world.get(DaemonSet, "agent")).status
        assert (status.desired_number_scheduled, status.number_available, status.updated_number_scheduled) == (2, 2, 2)
        await nodes(world, "n3")
        assert list(await images(world)) == ["n1", "n2", "n3"]
        taint = {"spec": {"taints": [{"key": "x", "effect": "NoExecute"}]}}
        await world.client.of(Node).patch("n1", taint)
        await world.settle()
        assert list(await images(world)) == ["n2", "n3"]


async def test_rolling_update_one_by_one() -> None:
    async with World(DaemonSetController) as world:
        await world.start()
        await nodes(world, "n1", "n2", "n3")
        await world.create(daemon())
        await world.settle()
        await world.set_pods()
        await world.client.of(DaemonSet).patch("agent", {"spec": {"template": template("v2")}}, namespace="default")
        await world.settle()
        assert everywhere(await images(world)) == ["v1", "v1", "v2"]
        await world.set_pods()
        await world.set_pods()
        assert everywhere(await images(world)) == ["v2", "v2", "v2"]


async def test_rolling_update_with_surge() -> None:
    async with World(DaemonSetController) as world:
        await world.start()
        await nodes(world, "n1", "n2")
        await world.create(daemon({"maxSurge": 1, "maxUnavailable": 0}))
        await world.settle()
        await world.set_pods()
        await world.client.of(DaemonSet).patch("agent", {"spec": {"template": template("v2")}}, namespace="default")
        await world.settle()
        assert everywhere(await images(world)) == ["v1", "v1", "v2"]
        for _ in range(3):
            await world.set_pods()
        assert await images(world) == {"n1": ["v2"], "n2": ["v2"]}


async def test_on_delete_waits_for_the_user() -> None:
    async with World(DaemonSetController) as world:
        await world.start()
        await nodes(world, "n1")
        await world.create(daemon(updateStrategy={"type": "OnDelete"}))
        await world.settle()
        await world.set_pods()
        await world.client.of(DaemonSet).patch("agent", {"spec": {"template": template("v2")}}, namespace="default")
        await world.settle()
        assert await images(world) == {"n1": ["v1"]}
        await world.client.of(Pod).delete((await world.pods())[0].metadata.name, namespace="default")
        await world.settle()
        assert await images(world) == {"n1": ["v2"]}


async def test_revisions_and_roll_back() -> None:
    async with World(DaemonSetController) as world:
        await world.start()
        await nodes(world, "n1")
        await world.create(daemon(revisionHistoryLimit=1))
        await world.settle()
        for image in ("v2", "v3"):
            await world.client.of(DaemonSet).patch(
                "agent", {"spec": {"template": template(image)}}, namespace="default"
            )
            await world.settle()
            await world.set_pods()
        found = sorted(await world.all(ControllerRevision), key=lambda r: r.revision or 0)
        assert [r.revision for r in found] == [2, 3]
        undo = json.loads(bytes(found[0].data))
        assert undo["spec"]["template"].pop("$patch") == "replace"
        await world.client.of(DaemonSet).patch("agent", undo, namespace="default")
        await world.settle()
        assert sorted(r.revision or 0 for r in await world.all(ControllerRevision)) == [3, 4]
        pod = (await world.pods())[0]
        current = max(await world.all(ControllerRevision), key=lambda r: r.revision or 0)
        assert pod.metadata.labels["controller-revision-hash"] == current.metadata.labels["controller-revision-hash"]


async def test_failed_pods_are_replaced_with_a_back_off() -> None:
    async with World(DaemonSetController) as world:
        await world.start()
        await nodes(world, "n1")
        await world.create(daemon())
        await world.settle()
        first = await world.pods()
        await world.set_pods(ready=False, phase="Failed")
        second = await world.pods()
        assert first[0].metadata.uid != second[0].metadata.uid
        await world.set_pods(ready=False, phase="Failed")
        third = await world.pods()
        await world.set_pods(ready=False, phase="Failed")
        assert (await world.pods())[0].metadata.uid == third[0].metadata.uid
        await world.advance(10)
        assert (await world.pods())[0].metadata.uid != third[0].metadata.uid
        assert "FailedDaemonPod" in world.recorder.reasons()


async def test_second_pod_on_a_node_is_deleted() -> None:
    async with World(DaemonSetController) as world:
        await world.start()
        await nodes(world, "n1")
        await world.create(daemon())
        await world.settle()
        stray = load(Pod, metadata={"name": "stray", "namespace": "default", "labels": LABELS}, spec={"nodeName": "n1"})
        await world.create(stray)
        await world.settle()
        assert len(await world.pods()) == 1
