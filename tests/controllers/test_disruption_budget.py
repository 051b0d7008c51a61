"""Disruption budgets: what is counted, and how the loop follows the pods."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.api.policy.pod_disruption_budget import PodDisruptionBudget, PodDisruptionBudgetStatus
from pybernetes.controllers.disruption_budget import (
    DisruptionController,
    Expected,
    Size,
    Uncountable,
    counted,
    expected,
    failed,
    stale,
)
from pybernetes.controllers.times import stamp

from .world import START, World, load

LABELS = {"app": "web"}
AGO = stamp(START - timedelta(seconds=100))


def owner(kind: str, name: str, uid: str = "", version: str = "apps/v1") -> dict[str, Any]:
    return {"apiVersion": version, "kind": kind, "name": name, "uid": uid or name, "controller": True}


def pod(
    name: str = "a", by: dict[str, Any] | None = None, *, ready: bool = True, going: bool = False, **more: Any
) -> Pod:
    meta: dict[str, Any] = {"name": name, "namespace": "default", "labels": LABELS}
    if by is not None:
        meta["ownerReferences"] = [by]
    if going:
        meta["deletionTimestamp"] = AGO
    conditions = [{"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": AGO}]
    return load(Pod, metadata=meta, status={"phase": "Running", "conditions": conditions, **more})


def budget(name: str = "web", disrupted: dict[str, str] | None = None, **spec: Any) -> PodDisruptionBudget:
    return load(
        PodDisruptionBudget,
        metadata={"name": name, "namespace": "default", "generation": 3},
        spec={"selector": {"matchLabels": LABELS}, **spec},
        status={"disruptedPods": disrupted or {}},
    )


SIZES = {"five": Size("five", 5), "three": Size("three", 3)}


FIVE, THREE = owner("ReplicaSet", "five"), owner("ReplicaSet", "three")


@pytest.mark.parametrize(
    ("spec", "owners", "want"),
    [
        ({"minAvailable": 2}, [FIVE, FIVE, FIVE], Expected(3, 2)),
        ({"minAvailable": 2}, [None, None], Expected(2, 2)),
        ({"minAvailable": 0}, [], Expected(0, 0)),
        ({"minAvailable": "50%"}, [FIVE], Expected(5, 3)),
        ({"minAvailable": "100%"}, [FIVE, THREE], Expected(8, 8)),
        ({"minAvailable": "0%"}, [FIVE], Expected(5, 0)),
        ({"maxUnavailable": 1}, [FIVE, FIVE], Expected(5, 4)),
        ({"maxUnavailable": 9}, [FIVE], Expected(5, 0)),
        ({"maxUnavailable": "30%"}, [FIVE], Expected(5, 3)),
        ({"maxUnavailable": "30%"}, [FIVE, THREE], Expected(8, 5)),
        ({"maxUnavailable": 0}, [FIVE], Expected(5, 5)),
        ({"maxUnavailable": 1}, [FIVE, None], Expected(5, 4, ["p1"])),
        ({"maxUnavailable": 1}, [], Expected(0, 0)),
        ({}, [FIVE], Expected(0, 0)),
    ],
)
def test_how_many_pods_must_be_healthy(spec: dict[str, Any], owners: list[Any], want: Expected) -> None:
    pods = [pod(f"p{number}", by) for number, by in enumerate(owners)]
    assert expected(budget(**spec).spec, pods, SIZES) == want


def test_pods_of_unknown_controllers_are_uncountable() -> None:
    with pytest.raises(Uncountable, match='found no controllers for pod "a"'):
        expected(budget(maxUnavailable=1).spec, [pod("a", owner("Job", "x"))], SIZES)


def late(seconds: float) -> str:
    return stamp(START - timedelta(seconds=seconds))


@pytest.mark.parametrize(
    ("pods", "want", "disrupted", "healthy", "allowed"),
    [
        ([pod("a"), pod("b")], Expected(2, 1), {}, 2, 1),
        ([pod("a"), pod("b", ready=False)], Expected(2, 1), {}, 1, 0),
        ([pod("a"), pod("b", going=True)], Expected(2, 1), {}, 1, 0),
        ([pod("a"), pod("b")], Expected(2, 1), {"b": late(5)}, 1, 0),
        ([pod("a"), pod("b")], Expected(2, 1), {"b": late(121)}, 2, 1),
        ([pod("a")], Expected(2, 2), {}, 1, 0),
        ([pod("a")], Expected(0, 0), {}, 1, 0),
        ([], Expected(0, 0), {"gone": late(5)}, 0, 0),
    ],
)
def test_allowed_disruptions(
    pods: list[Pod], want: Expected, disrupted: dict[str, str], healthy: int, allowed: int
) -> None:
    result = counted(budget(disrupted=disrupted), pods, want, START)
    status = result.status
    assert (status.current_healthy, status.disruptions_allowed) == (healthy, allowed)
    assert (status.expected_pods, status.desired_healthy, status.observed_generation) == (want.pods, want.healthy, 3)
    found = status.conditions[0]
    reason = ("True", "SufficientPods") if allowed else ("False", "InsufficientPods")
    assert (found.type, found.status, found.reason, found.observed_generation) == (
        "DisruptionAllowed",
        *reason,
        3,
    )


def test_evicted_pods_are_remembered_for_two_minutes() -> None:
    disrupted = {"fresh": late(30), "older": late(60), "stays": late(121), "going": late(10), "gone": late(10)}
    pods = [pod("fresh"), pod("older"), pod("stays"), pod("going", going=True)]
    result = counted(budget(disrupted=disrupted), pods, Expected(4, 0), START)
    assert result.status.disrupted_pods == {"fresh": late(30), "older": late(60)}
    assert [p.metadata.name for p in result.overdue] == ["stays"]
    assert result.again == START + timedelta(seconds=60)


def test_failure_allows_nothing_and_reports_the_reason() -> None:
    status = failed(PodDisruptionBudgetStatus(disruptions_allowed=3, current_healthy=3), "why", START)
    reported = status.conditions[0]
    assert (status.disruptions_allowed, status.current_healthy) == (0, 3)
    assert (reported.status, reported.reason, reported.message) == ("False", "SyncFailed", "why")


def target(since: float = 0, reason: str = "EvictionByEvictionAPI", status: str = "True") -> list[dict[str, str]]:
    return [{"type": "DisruptionTarget", "status": status, "reason": reason, "lastTransitionTime": late(since)}]


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        (pod(), None),
        (pod(conditions=target(30)), 90),
        (pod(conditions=target(200)), -80),
        (pod(conditions=target(30, status="False")), None),
        (pod(conditions=target(30, reason="TerminationByKubelet")), None),
        (pod(conditions=target(30), going=True), None),
        (pod(conditions=target(30), phase="Failed"), None),
    ],
)
def test_expiry_of_disruption_targets(given: Pod, seconds: float | None) -> None:
    when = stale(given)
    assert (None if when is None else (when - START).total_seconds()) == seconds


async def status_of(world: World, name: str = "web") -> PodDisruptionBudgetStatus:
    return (await world.get(PodDisruptionBudget, name)).status


def sized(struct: type[Any], name: str, replicas: int, by: dict[str, Any] | None = None) -> Any:
    meta: dict[str, Any] = {"name": name, "namespace": "default"}
    if by is not None:
        meta["ownerReferences"] = [by]
    return load(struct, metadata=meta, spec={"replicas": replicas})


async def test_follows_pods_and_evictions() -> None:
    async with World(DisruptionController) as world:
        await world.start()
        await world.create(budget(minAvailable=1))
        await world.settle()
        status = await status_of(world)
        assert (status.disruptions_allowed, status.observed_generation) == (0, 1)
        assert world.recorder.messages("NoPods")[0] == "No matching pods found"
        for name in ("a", "b", "c"):
            await world.create(pod(name))
        await world.settle()
        assert (await status_of(world)).disruptions_allowed == 2
        assert (await status_of(world)).conditions[0].reason == "SufficientPods"
        await world.client.of(Pod).delete("a", namespace="default")
        await world.set_pods(ready=False, pods=[pod("b")])
        status = await status_of(world)
        assert (status.disruptions_allowed, status.current_healthy, status.expected_pods) == (0, 1, 2)
        await world.set_pods(pods=[pod("b")])
        assert (await status_of(world)).disruptions_allowed == 1


async def test_eviction_without_a_deletion_expires() -> None:
    async with World(DisruptionController) as world:
        await world.start()
        await world.create(pod("a"))
        made = await world.create(budget(minAvailable=0))
        await world.settle()
        assert (await status_of(world)).disruptions_allowed == 1
        spent = {"disruptionsAllowed": 0, "disruptedPods": {"a": stamp(world.clock.now())}}
        api = world.client.of(PodDisruptionBudget)
        await api.patch(made.metadata.name, {"status": spent}, namespace="default", subresource="status")
        await world.settle()
        status = await status_of(world)
        assert (status.disruptions_allowed, list(status.disrupted_pods)) == (0, ["a"])
        await world.advance(122)
        status = await status_of(world)
        assert (status.disruptions_allowed, status.disrupted_pods) == (1, {})
        (reported,) = world.recorder.messages("NotDeleted")
        assert reported == "Pod was expected by PDB default/web to be deleted but it wasn't"


async def test_sizes_of_the_built_in_kinds() -> None:
    async with World(DisruptionController) as world:
        await world.start()
        deployment = await world.create(sized(Deployment, "web", 10))
        above = owner("Deployment", "web", deployment.metadata.uid)
        for name in ("web-old", "web-new"):
            made = await world.create(sized(ReplicaSet, name, 7, above))
            await world.create(pod(name, owner("ReplicaSet", name, made.metadata.uid)))
        alone = await world.create(sized(ReplicaSet, "alone", 3))
        await world.create(pod("alone", owner("ReplicaSet", "alone", alone.metadata.uid)))
        rc = await world.create(sized(ReplicationController, "rc", 4))
        await world.create(pod("rc", owner("ReplicationController", "rc", rc.metadata.uid, "v1")))
        await world.create(budget(maxUnavailable="50%"))
        await world.settle()
        status = await status_of(world)
        assert (status.expected_pods, status.desired_healthy, status.current_healthy) == (17, 8, 4)
        await world.client.of(Deployment).patch("web", {"spec": {"replicas": 1}}, namespace="default")
        await world.settle()
        assert (await status_of(world)).expected_pods == 8
        await world.create(pod("bare"))
        await world.settle()
        assert (await status_of(world)).expected_pods == 8
        assert "(selector: app=web) were found to be unmanaged" in world.recorder.messages("UnmanagedPods")[0]


async def test_uncountable_pods_are_reported_until_they_can_be_counted() -> None:
    async with World(DisruptionController) as world:
        await world.start()
        await world.create(budget(maxUnavailable=1))
        daemon = await world.create(pod("d", owner("DaemonSet", "d")))
        await world.settle()
        reported = (await status_of(world)).conditions[0]
        assert (reported.reason, reported.message) == (
            "SyncFailed",
            "daemonsets.apps does not implement the scale subresource",
        )
        assert world.recorder.messages("CalculateExpectedPodCountFailed")
        await world.client.of(Pod).delete(daemon.metadata.name, namespace="default")
        await world.create(pod("early", owner("ReplicaSet", "late", "uid-4")))
        await world.settle()
        assert 'found no controllers for pod "early"' in (await status_of(world)).conditions[0].message
        made = await world.create(sized(ReplicaSet, "late", 2))
        assert made.metadata.uid == "uid-4"
        await world.settle()
        status = await status_of(world)
        assert (status.expected_pods, status.conditions[0].reason) == (2, "InsufficientPods")


async def test_a_budget_without_selector_has_no_pods() -> None:
    async with World(DisruptionController) as world:
        await world.start()
        await world.create(pod("a"))
        await world.create(load(PodDisruptionBudget, metadata={"name": "web", "namespace": "default"}))
        broken = {"matchExpressions": [{"key": "a", "operator": "Near"}]}
        await world.create(budget("broken", minAvailable=0, selector=broken))
        await world.settle()
        assert (await status_of(world)).current_healthy == (await status_of(world, "broken")).current_healthy == 0


async def test_disruption_target_of_a_pod_that_stays_is_withdrawn() -> None:
    async with World(DisruptionController) as world:
        await world.start()
        await world.create(pod("a", conditions=target()))
        await world.advance(118)
        assert (await world.get(Pod, "a")).status.conditions[0].status == "True"
        await world.advance(2)
        assert (await world.get(Pod, "a")).status.conditions[0].status == "False"


async def test_any_kind_with_a_scale_subresource_is_counted() -> None:
    async with World(DisruptionController) as world:
        world.api.serve("example.com", "v1", "webs", "Web", "scale")
        await world.start()
        body = b'{"metadata": {"name": "w"}, "spec": {"replicas": 5}}'
        made = msgspec.json.decode(await world.client.raw("POST", "/apis/example.com/v1/namespaces/default/webs", body))
        await world.create(budget(maxUnavailable=1))
        await world.create(pod("a", owner("Web", "w", made["metadata"]["uid"], "example.com/v1")))
        await world.settle()
        status = await status_of(world)
        assert (status.expected_pods, status.desired_healthy) == (5, 4)


async def test_pods_are_counted_when_discovery_learns_of_their_controller() -> None:
    async with World(DisruptionController) as world:
        await world.start()
        await world.create(budget(maxUnavailable=1))
        await world.create(pod("a", owner("Web", "w", "uid", "example.com/v1")))
        await world.settle()
        failure = (await status_of(world)).conditions[0]
        assert failure.message == 'no matches for kind "Web" in version "example.com/v1"'
        world.api.serve("example.com", "v1", "webs", "Web")
        await world.advance(31)
        failure = (await status_of(world)).conditions[0]
        assert failure.message == "webs.example.com does not implement the scale subresource"
