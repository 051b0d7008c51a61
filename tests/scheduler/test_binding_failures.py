"""Failed bindings: the assumption is removed, and the pod is retried if it still needs a node."""

from pybernetes.api.core.binding import Binding
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.errors import Unreachable
from pybernetes.client.transport import Request

from .conftest import Running, Unreliable
from .make import node, pod
from .test_scheduler import events, put_node, wait_bound


def is_binding(request: Request) -> bool:
    return request.method == "POST" and request.path.endswith("/binding")


async def test_a_lost_connection_is_retried(client: Client, transport: Unreliable, running: Running) -> None:
    failures = [Unreachable("connection refused"), Unreachable("connection refused")]
    transport.fail = lambda request: failures.pop() if failures and is_binding(request) else None
    await put_node(client, node("node-1"))
    await client.of(Pod).create(pod("web", cpu="1"))
    await wait_bound(client, running, "web")
    assert not failures
    assert await events(client, running, "FailedScheduling") == ["binding rejected: connection refused"]
    assert int(running.scheduler.snapshot.requested.sum()) == 1000


async def test_a_pod_that_another_client_bound_stays_on_its_node(
    client: Client, transport: Unreliable, running: Running
) -> None:
    await put_node(client, node("node-1"))
    await put_node(client, node("node-2"))
    await running.until(lambda: len(running.scheduler.snapshot.nodes) == 2)
    held: list[Request] = []

    def hold(request: Request) -> Exception | None:
        if is_binding(request) and not held:
            held.append(request)
            return Unreachable("slow")
        return None

    transport.fail = hold
    await client.of(Pod).create(pod("web", cpu="1"))
    await running.until(lambda: bool(held))
    chosen = b"node-2" if b"node-2" in held[0].body else b"node-1"
    other = "node-1" if chosen == b"node-2" else "node-2"
    binding = Binding(
        api_version="v1",
        kind="Binding",
        metadata=ObjectMeta(name="web"),
        target=ObjectReference(kind="Node", name=other),
    )
    await client.of(Pod).call("web", "binding", binding, namespace="default")
    assert (await wait_bound(client, running, "web")).spec.node_name == other
    snapshot = running.scheduler.snapshot
    await running.until(lambda: len(running.scheduler.queue) == 0)
    assert int(snapshot.requested[0, snapshot.nodes.row_of[other]]) == 1000
    assert int(snapshot.requested[0].sum()) == 1000


async def test_a_pod_that_is_deleted_before_its_binding_frees_its_resources(
    client: Client, transport: Unreliable, running: Running
) -> None:
    transport.fail = lambda request: Unreachable("down") if is_binding(request) else None
    await put_node(client, node("node-1"))
    await client.of(Pod).create(pod("web", cpu="1"))
    await running.until(lambda: len(running.scheduler.queue) == 1)
    await client.of(Pod).delete("web", namespace="default", grace_period_seconds=0)
    await running.until(lambda: len(running.scheduler.queue) == 0)
    assert not running.scheduler.snapshot.requested.any()
    transport.fail = lambda request: None
    await client.of(Pod).create(pod("web", cpu="1"))
    await wait_bound(client, running, "web")


async def test_heartbeats_do_not_reach_the_snapshot(client: Client, running: Running) -> None:
    await put_node(client, node("node-1"))
    settled = (await client.of(Node).get("node-1")).metadata.resource_version
    known = running.scheduler.snapshot.nodes
    await running.until(lambda: [n and n.metadata.resource_version for n in known.nodes] == [settled])
    before = running.scheduler.snapshot.position
    for beat in range(3):
        await client.of(Node).patch("node-1", {"status": {"phase": f"beat-{beat}"}}, subresource="status")
    await client.of(Pod).create(pod("web"))
    await wait_bound(client, running, "web")
    assert running.scheduler.snapshot.position - before == 1
