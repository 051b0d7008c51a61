"""Preemption: which pods are removed for which pod, and nominations for the node."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.core.container import ContainerPort
from pybernetes.api.core.pod import Pod, PodStatus
from pybernetes.client.client import Client
from pybernetes.scheduler.assembly import default_profile
from pybernetes.scheduler.core import Decision, schedule_one
from pybernetes.scheduler.evaluation import Evaluation, Evaluations
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.preemption import Preemption, preempt
from pybernetes.scheduler.snapshot import Snapshot

from .conftest import Running
from .make import apart, node, pod
from .naive import World, refusal
from .strategies import pods
from .test_plugins import build, worlds
from .test_scheduler import events, put_node, wait_bound, wait_condition
from .test_snapshot import arrays

PROFILE = default_profile()
HOST_PORT = [ContainerPort(container_port=80, host_port=80, protocol="TCP")]


def running(name: str, on: str, cpu: str = "1", priority: int = 0, started: str = "", **more: object) -> Pod:
    made = pod(name, on=on, cpu=cpu, priority=priority, **more)  # type: ignore[arg-type]
    return msgspec.structs.replace(made, status=PodStatus(start_time=started))


def place(snapshot: Snapshot, wanted: Pod, nominations: Nominations | None = None) -> Decision:
    evaluations = Evaluations(snapshot, PROFILE)
    return schedule_one(snapshot, wanted, evaluations=evaluations, rng=random.Random(1), nominations=nominations)


def search(snapshot: Snapshot, wanted: Pod) -> Preemption:
    """Run the search; also check that it does not change the snapshot."""
    before, placed = arrays(snapshot), dict(snapshot.placed)
    failure = place(snapshot, wanted).failure
    assert failure is not None
    result = preempt(snapshot, PROFILE.filters, snapshot.templates.of(wanted), failure, lambda found: False)
    assert arrays(snapshot) == before and snapshot.placed == placed
    return result


def victims(result: Preemption) -> tuple[str, list[str]]:
    assert result.candidate is not None
    return result.candidate.node_name, sorted(victim.pod.metadata.name for victim in result.candidate.victims)


def cluster(*pods: Pod, nodes: int = 2) -> Snapshot:
    snapshot = Snapshot()
    for number in range(1, nodes + 1):
        snapshot.put_node(node(f"n{number}", cpu="4"))
    for made in pods:
        snapshot.put_pod(made)
    return snapshot


def test_removes_no_more_pods_than_needed_and_those_of_lowest_priority() -> None:
    snapshot = cluster(running("low", "n1", "2", priority=1), running("middle", "n1", "2", priority=5), nodes=1)
    assert victims(search(snapshot, pod("p", cpu="1", priority=10))) == ("n1", ["low"])


def test_prefers_the_node_whose_victims_have_the_lowest_priority() -> None:
    snapshot = cluster(running("middle", "n1", "4", priority=5), running("low", "n2", "4", priority=1))
    assert victims(search(snapshot, pod("p", cpu="1", priority=10))) == ("n2", ["low"])


def test_prefers_fewer_victims() -> None:
    snapshot = cluster(running("a", "n1", "2"), running("b", "n1", "2"), running("c", "n2", "4"))
    assert victims(search(snapshot, pod("p", cpu="4", priority=10))) == ("n2", ["c"])


def test_among_equals_the_pod_that_started_last_is_removed() -> None:
    snapshot = cluster(
        running("old", "n1", "4", started="2026-01-01T00:00:00Z"),
        running("young", "n2", "4", started="2026-01-02T00:00:00Z"),
    )
    assert victims(search(snapshot, pod("p", cpu="1", priority=10))) == ("n2", ["young"])


def test_preemption_can_free_ports_and_satisfy_anti_affinity() -> None:
    snapshot = cluster(running("web", "n1", ports=HOST_PORT), nodes=1)
    assert victims(search(snapshot, pod("p", priority=10, ports=HOST_PORT))) == ("n1", ["web"])
    snapshot = cluster(running("web", "n1", labels={"app": "web"}), nodes=1)
    wanted = pod("p", priority=10, affinity=apart("kubernetes.io/hostname", app="web"))
    assert victims(search(snapshot, wanted)) == ("n1", ["web"])


@pytest.mark.slow
@given(worlds(), pods(), st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_the_pod_fits_once_the_victims_are_gone(world: World, wanted: Pod, priorities: list[int]) -> None:
    for made, priority in zip(world.pods, priorities, strict=False):
        made.spec.priority = priority
    wanted.spec.priority = 2
    snapshot = build(world)
    template = snapshot.templates.of(wanted)
    before, evaluation = arrays(snapshot), Evaluation(snapshot, PROFILE, template)
    evaluation.refresh()
    result = preempt(snapshot, PROFILE.filters, template, evaluation.failure(), lambda found: False)
    assert arrays(snapshot) == before
    if result.candidate is not None:
        gone = {victim.pod.metadata.uid for victim in result.candidate.victims}
        assert all(victim.template.priority < 2 for victim in result.candidate.victims)
        world.pods = [p for p in world.pods if p.metadata.uid not in gone]
        assert refusal(world, template, world.nodes[result.candidate.node_name]) == []


def test_pods_of_the_same_priority_are_not_removed() -> None:
    snapshot = cluster(running("same", "n1", "4", priority=10), running("same", "n2", "4", priority=10))
    result = search(snapshot, pod("p", cpu="1", priority=10))
    assert result.candidate is None and result.tried == 0


def test_a_node_that_stays_too_full_is_rejected_without_removing_pods() -> None:
    kept = running("high", "n1", "3", priority=10)
    snapshot = cluster(kept, *(running(f"low-{n}", "n1", "0") for n in range(5)), nodes=1)
    snapshot.nodes.pods_allowed[0] = 1
    result = search(snapshot, pod("p", cpu="2", priority=10))
    assert dict(result.reasons) == {"Too many pods": 1, "Insufficient cpu": 1}


def test_reports_the_reasons_that_remain_after_removing_pods() -> None:
    snapshot = cluster(running("high", "n1", "3", priority=10), running("low", "n1", "1"), nodes=1)
    result = search(snapshot, pod("p", cpu="2", priority=10))
    assert result.candidate is None and (result.tried, dict(result.reasons)) == (1, {"Insufficient cpu": 1})


def test_pods_of_lower_priority_do_not_use_the_room_of_a_nominated_pod() -> None:
    snapshot, nominations = cluster(nodes=2), Nominations()
    owner = pod("owner", cpu="4", priority=10)
    nominations.put(owner, snapshot.templates.of(owner), "n1")
    assert place(snapshot, pod("lesser", cpu="1"), nominations).node_name == "n2"
    refused = place(snapshot, pod("large", cpu="4"), nominations)
    assert refused.failure is not None
    assert refused.failure.message() == "0/2 nodes are available: 2 Insufficient cpu."
    assert "NodeResourcesFit" in refused.failure.plugins
    assert place(snapshot, owner, nominations).node_name == "n1"


def test_pods_of_higher_priority_ignore_nominations() -> None:
    snapshot, nominations = cluster(nodes=1), Nominations()
    owner = pod("owner", cpu="4", priority=10)
    nominations.put(owner, snapshot.templates.of(owner), "n1")
    assert place(snapshot, pod("boss", cpu="4", priority=11), nominations).node_name == "n1"


async def test_a_pod_of_high_priority_replaces_one_of_low_priority(client: Client, running: Running) -> None:
    await put_node(client, node("node-1", cpu="1"))
    low = await client.of(Pod).create(pod("low", cpu="1", termination_grace_period_seconds=0))
    await wait_bound(client, running, "low")
    high = await client.of(Pod).create(pod("high", cpu="1", priority_class_name="system-node-critical"))
    found = await wait_bound(client, running, "high")
    assert found.spec.node_name == "node-1"
    assert running.informers.of(Pod).cache.find("low", "default") is None
    assert await events(client, running, "Preempted") == [f"Preempted by pod {high.metadata.uid} on node node-1"]
    assert low.metadata.uid not in running.scheduler.snapshot.placed
    assert "0/1 nodes are available: 1 Insufficient cpu." in await events(client, running, "FailedScheduling")


async def test_victims_are_deleted_gracefully_and_only_once(client: Client, running: Running) -> None:
    for number in (1, 2):
        await put_node(client, node(f"node-{number}", cpu="1"))
    for name in ("low-1", "low-2"):
        await client.of(Pod).create(pod(name, cpu="1"))
        await wait_bound(client, running, name)
    await client.of(Pod).create(pod("high", cpu="1", priority_class_name="system-node-critical"))

    def leaving() -> list[Pod]:
        return [p for p in running.informers.of(Pod).cache.all() if p.metadata.deletion_timestamp]

    await running.until(lambda: len(leaving()) == 1)
    (victim,) = leaving()
    disruption = next(c for c in victim.status.conditions if c.type == "DisruptionTarget")
    assert (disruption.status, disruption.reason) == ("True", "PreemptionByScheduler")
    await running.until(
        lambda: running.informers.of(Pod).cache.find("high", "default").status.nominated_node_name != ""
    )  # type: ignore[union-attr]
    message = await wait_condition(running, "high", "Unschedulable")
    assert message.startswith("0/2 nodes are available: 2 Insufficient cpu.")
    waiting = await client.of(Pod).get("high", namespace="default")
    assert waiting.status.nominated_node_name == victim.spec.node_name
    # Another small change of the cluster makes it try again; the second pod stays.
    await put_node(client, node("node-3", cpu="0"))
    await client.of(Pod).create(pod("other", cpu="2"))
    await wait_condition(running, "other", "Unschedulable")
    assert len(leaving()) == 1
    await client.of(Pod).delete(victim.metadata.name, namespace="default", grace_period_seconds=0)
    assert (await wait_bound(client, running, "high")).spec.node_name == victim.spec.node_name


async def test_preemption_policy_never(running: Running) -> None:
    scheduler = running.scheduler
    scheduler.snapshot.put_node(node("node-1", cpu="1"))
    scheduler.snapshot.put_pod(pod("low", cpu="1", on="node-1"))
    high = pod("high", cpu="1", priority=100, preemption_policy="Never")
    decision = place(scheduler.snapshot, high)
    assert decision.failure is not None
    framework = scheduler.frameworks["default-scheduler"]
    ((_, post_filter),) = framework.profile.post_filters
    text = post_filter(framework.handle, high, decision.template, decision.failure)
    assert decision.failure.message(text) == (
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    )
