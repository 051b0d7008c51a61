"""The scheduler against a real API server: pending pods get a node, or a reason."""

import asyncio

import msgspec

from pybernetes.api.core.event import Event
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod, PodSchedulingGate
from pybernetes.client.client import Client

from .conftest import Running
from .make import node, pod, taint


async def put_node(client: Client, made: Node) -> None:
    """Create a node with its status, without the taint that admission adds to new nodes."""
    created = await client.of(Node).create(made)
    created = await client.of(Node).update_status(msgspec.structs.replace(created, status=made.status))
    if created.spec.taints != made.spec.taints:
        await client.of(Node).update(msgspec.structs.replace(created, spec=made.spec))


async def wait_bound(client: Client, running: Running, name: str) -> Pod:
    def bound() -> bool:
        found = running.informers.of(Pod).cache.find(name, "default")
        return found is not None and bool(found.spec.node_name)

    await running.until(bound)
    return await client.of(Pod).get(name, namespace="default")


async def wait_condition(running: Running, name: str, reason: str) -> str:
    message = ""

    def reported() -> bool:
        nonlocal message
        found = running.informers.of(Pod).cache.find(name, "default")
        for condition in found.status.conditions if found else ():
            if condition.type == "PodScheduled" and condition.reason == reason:
                message = condition.message
                return True
        return False

    await running.until(reported)
    return message


async def events(client: Client, running: Running, reason: str) -> list[str]:
    cache = running.informers.of(Event).cache
    await running.until(lambda: any(event.reason == reason for event in cache.all()))
    return [event.message for event in cache.all() if event.reason == reason]


async def test_a_pod_gets_a_node_and_an_event(client: Client, running: Running) -> None:
    await put_node(client, node("node-1"))
    await client.of(Pod).create(pod("web", cpu="100m"))
    found = await wait_bound(client, running, "web")
    assert found.spec.node_name == "node-1"
    assert await events(client, running, "Scheduled") == ["Successfully assigned default/web to node-1"]
    assert [(c.type, c.status) for c in found.status.conditions] == [("PodScheduled", "True")]


async def test_an_unschedulable_pod_reports_why_and_is_placed_when_there_is_room(
    client: Client, running: Running
) -> None:
    await put_node(client, node("node-1", taints=[taint("node.kubernetes.io/not-ready")]))
    await put_node(client, node("node-2", cpu="1"))
    await put_node(client, node("node-3", cpu="1"))
    await running.until(lambda: len(running.scheduler.snapshot.nodes) == 3)
    await running.until(lambda: running.scheduler.snapshot.nodes.taint_codes.any())
    await client.of(Pod).create(pod("filler", cpu="900m"))
    await client.of(Pod).create(pod("filler-2", cpu="900m"))
    await wait_bound(client, running, "filler")
    await wait_bound(client, running, "filler-2")
    await client.of(Pod).create(pod("web", cpu="500m"))
    message = await wait_condition(running, "web", "Unschedulable")
    assert message == (
        "0/3 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, "
        "2 Insufficient cpu. preemption: 0/3 nodes are available: "
        "1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod."
    )
    assert message in await events(client, running, "FailedScheduling")
    await client.of(Pod).delete("filler", namespace="default", grace_period_seconds=0)
    assert (await wait_bound(client, running, "web")).spec.node_name in ("node-2", "node-3")


async def test_no_nodes_at_all(client: Client, running: Running) -> None:
    await client.of(Pod).create(pod("web"))
    assert await wait_condition(running, "web", "Unschedulable") == "no nodes available to schedule pods"
    await put_node(client, node("node-1"))
    await wait_bound(client, running, "web")


async def test_a_gated_pod_is_not_scheduled(client: Client, running: Running) -> None:
    await put_node(client, node("node-1"))
    gated = await client.of(Pod).create(pod("web", scheduling_gates=[PodSchedulingGate(name="example.com/wait")]))
    text = "Scheduling is blocked due to non-empty scheduling gates"
    assert await wait_condition(running, "web", "SchedulingGated") == text
    current = await client.of(Pod).get("web", namespace="default")
    assert gated.metadata.uid == current.metadata.uid and not current.spec.node_name
    current.spec.scheduling_gates = []
    await client.of(Pod).update(current)
    await wait_bound(client, running, "web")


async def test_pods_of_other_schedulers_are_ignored(client: Client, running: Running) -> None:
    await put_node(client, node("node-1"))
    other = pod("other")
    other.spec.scheduler_name = "another-scheduler"
    await client.of(Pod).create(other)
    await client.of(Pod).create(pod("web"))
    await wait_bound(client, running, "web")
    assert not (await client.of(Pod).get("other", namespace="default")).spec.node_name


async def test_a_pod_that_is_deleted_while_pending_leaves_the_queue(client: Client, running: Running) -> None:
    await client.of(Pod).create(pod("web"))
    await wait_condition(running, "web", "Unschedulable")
    await client.of(Pod).delete("web", namespace="default", grace_period_seconds=0)
    await running.until(lambda: len(running.scheduler.queue) == 0)


async def test_decisions_can_be_explained(client: Client, running: Running) -> None:
    await put_node(client, node("node-1"))
    await put_node(client, node("node-2", unschedulable=True))
    await running.until(lambda: len(running.scheduler.snapshot.nodes) == 2)
    await client.of(Pod).create(pod("web", cpu="1"))
    found = await wait_bound(client, running, "web")
    best, refused = running.scheduler.explain(found)
    assert best.node == "node-1" and best.scores["NodeResourcesFit"] > 0 and best.total > 300
    assert (refused.refused_by, refused.reasons) == ("NodeUnschedulable", ("node(s) were unschedulable",))
    assert running.scheduler.outcomes[found.metadata.uid].node_name == "node-1"
    await asyncio.sleep(0)
    assert int(running.scheduler.snapshot.requested[0].sum()) == 1000
