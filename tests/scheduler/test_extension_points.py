"""Each extension point with a plugin from outside, against a real API server."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from pybernetes.api.core.config_map import ConfigMap
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.assembly import default_profile
from pybernetes.scheduler.config import Config
from pybernetes.scheduler.core import schedule_one
from pybernetes.scheduler.evaluation import Evaluations
from pybernetes.scheduler.events import Action, Event, Interest
from pybernetes.scheduler.explain import explain
from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.handle import Handle
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin, Refused
from pybernetes.scheduler.points import Narrowed, Rejected
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.registry import IN_TREE, Entry
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template

from .conftest import Running
from .make import node, pod
from .test_scheduler import events, put_node, wait_bound, wait_condition

FAST = Config(initial_backoff=0.05, max_backoff=0.2)


def entry(name: str, plugin: Plugin) -> Entry:
    def make(args: Args, objects: Objects) -> Plugin:
        return plugin

    return Entry(name, make)


@asynccontextmanager
async def scheduling(client: Client, *plugins: Entry) -> AsyncIterator[Running]:
    """A scheduler with more plugins in its default profile, and one node."""
    running = Running(client, FAST, registry=(*IN_TREE, *plugins))
    running.start()
    try:
        await put_node(client, node("node-1"))
        await running.until(lambda: len(running.scheduler.snapshot.nodes) == 1)
        yield running
    finally:
        await running.stop()


@dataclass
class Ledger:
    """A Reserve plugin that notes what is asked of it."""

    name: str
    log: list[str]
    refuse: str = ""

    def reserve(self, handle: Handle, pod: Pod, node_name: str) -> str:
        self.log.append(f"reserve {self.name} {node_name}")
        return self.refuse

    def unreserve(self, handle: Handle, pod: Pod, node_name: str) -> None:
        self.log.append(f"unreserve {self.name}")


async def test_reservations_are_given_back_in_reverse_order(client: Client) -> None:
    log: list[str] = []
    first, second = Ledger("a", log), Ledger("b", log, refuse="out of stock")
    async with scheduling(client, entry("A", Plugin(reserve=first)), entry("B", Plugin(reserve=second))) as running:
        await client.of(Pod).create(pod("web", cpu="1"))
        assert await wait_condition(running, "web", "Unschedulable") == "0/1 nodes are available: 1 out of stock."
        assert log[:4] == ["reserve a node-1", "reserve b node-1", "unreserve b", "unreserve a"]
        assert not running.scheduler.snapshot.requested.any()
        assert await events(client, running, "FailedScheduling") == ["0/1 nodes are available: 1 out of stock."]


async def test_a_pod_that_pre_bind_refuses_is_not_bound(client: Client) -> None:
    log: list[str] = []

    async def refuse(handle: Handle, pod: Pod, node_name: str) -> None:
        raise Refused("the volume is broken")

    async with scheduling(
        client, entry("A", Plugin(reserve=Ledger("a", log))), entry("B", Plugin(pre_bind=refuse))
    ) as running:
        await client.of(Pod).create(pod("web"))
        message = await wait_condition(running, "web", "Unschedulable")
        assert message == "0/1 nodes are available: 1 the volume is broken."
        assert log == ["reserve a node-1", "unreserve a"]


@dataclass
class Gang:
    """A Permit plugin that holds pods back until there are enough of them."""

    size: int
    members: set[str] = field(default_factory=set)
    complete: asyncio.Event = field(default_factory=asyncio.Event)

    async def permit(self, handle: Handle, pod: Pod, node_name: str) -> None:
        self.members.add(pod.metadata.name)
        if len(self.members) == self.size:
            self.complete.set()
        await self.complete.wait()


async def test_permit_holds_pods_back_until_all_of_a_gang_have_a_node(client: Client) -> None:
    gang = Gang(size=100)
    assert gang.size > FAST.parallel_bindings, "waiting pods must not use up the writers"
    async with scheduling(client, entry("Gang", Plugin(permit=gang.permit))) as running:
        for number in range(99):
            await client.of(Pod).create(pod(f"member-{number}"))
        await running.until(lambda: len(gang.members) == 99)
        bound = [p for p in running.informers.of(Pod).cache.all() if p.spec.node_name]
        assert bound == []
        await client.of(Pod).create(pod("member-99"))
        for number in range(100):
            await wait_bound(client, running, f"member-{number}")


async def test_permit_can_refuse(client: Client) -> None:
    async def refuse(handle: Handle, pod: Pod, node_name: str) -> None:
        raise Refused("not today")

    async with scheduling(client, entry("Never", Plugin(permit=refuse))) as running:
        await client.of(Pod).create(pod("web"))
        assert await wait_condition(running, "web", "Unschedulable") == "0/1 nodes are available: 1 not today."
        assert not running.scheduler.snapshot.placed


async def test_pre_enqueue_keeps_a_pod_out_until_its_event(client: Client) -> None:
    switched: list[bool] = []

    def turn_on(snapshot: Snapshot, template: Template, event: Event) -> bool:
        switched.append(True)
        return True

    plugin = Plugin(
        pre_enqueue=lambda pod: "" if switched else "switched off",
        interests=(Interest(ConfigMap, Action.ADD, turn_on),),
    )

    def make(args: Args, objects: Objects) -> Plugin:
        objects.of(ConfigMap)
        return plugin

    async with scheduling(client, Entry("Switch", make)) as running:
        await client.of(Pod).create(pod("web"))
        await running.until(lambda: [i.pod.metadata.name for i in running.scheduler.queue.gated()] == ["web"])
        await client.of(ConfigMap).create(ConfigMap(metadata=ObjectMeta(name="on", namespace="default")))
        await wait_bound(client, running, "web")


async def test_post_filter_can_make_room_in_another_way(client: Client) -> None:
    async def more(handle: Handle) -> None:
        await put_node(handle.client, node("node-2", cpu="64"))

    def order_a_node(handle: Handle, pod: Pod, template: Template, failure: FitFailure) -> str:
        if "node-2" not in handle.snapshot.nodes.row_of:
            handle.submit(lambda: more(handle))
        return ""

    async with scheduling(client, entry("NodeOrder", Plugin(post_filter=order_a_node))) as running:
        await client.of(Pod).create(pod("web", cpu="32"))
        assert (await wait_bound(client, running, "web")).spec.node_name == "node-2"


async def test_a_bind_plugin_can_skip_a_pod(client: Client) -> None:
    seen: list[str] = []

    async def skip(handle: Handle, pod: Pod, node_name: str) -> bool:
        seen.append(pod.metadata.name)
        return False

    first = Entry("Skip", lambda args, objects: Plugin(bind=skip))
    running = Running(client, FAST, registry=(first, *IN_TREE))
    running.start()
    try:
        await put_node(client, node("node-1"))
        await client.of(Pod).create(pod("web"))
        await wait_bound(client, running, "web")
        assert seen == ["web"]
    finally:
        await running.stop()


# --- PreFilter, without a server


def profile_with(*answers: Narrowed | Rejected | None) -> Profile:
    """The default profile without DaemonSet pinning, with PreFilter plugins that give these answers."""

    def always(answer: Narrowed | Rejected | None) -> Callable[[Snapshot, Template], Narrowed | Rejected | None]:
        return lambda snapshot, template: answer

    named = tuple((f"P{number}", always(answer)) for number, answer in enumerate(answers, start=1))
    return replace(default_profile(), pre_filters=named)


def cluster() -> Snapshot:
    snapshot = Snapshot()
    for name in ("n1", "n2", "n3"):
        snapshot.put_node(node(name))
    return snapshot


def names(*nodes: str) -> Narrowed:
    return Narrowed(frozenset(nodes))


@pytest.mark.parametrize(
    ("answers", "node_name", "message"),
    [
        ([None, names("n2", "n3"), names("n1", "n2")], "n2", ""),
        (
            [names("n1"), names("n3")],
            "",
            "0/3 nodes are available: 3 node(s) didn't satisfy plugin(s) [P1 P2].",
        ),
        ([Rejected('persistentvolumeclaim "data" not found')], "",
         '0/3 nodes are available: persistentvolumeclaim "data" not found.'),
    ],
)  # fmt: skip
def test_pre_filter(answers: list[Narrowed | Rejected | None], node_name: str, message: str) -> None:
    snapshot, profile = cluster(), profile_with(*answers)
    web = pod("web")
    decision = schedule_one(snapshot, web, evaluations=Evaluations(snapshot, profile), rng=random.Random(1))
    assert decision.node_name == node_name
    assert (decision.failure.message() if decision.failure else "") == message
    if decision.failure:
        assert set(decision.failure.plugins) <= {"P1", "P2"} and not decision.failure.resolvable_rows
        verdicts = explain(snapshot, profile, decision.template)
        assert {verdict.refused_by for verdict in verdicts} == {"P1"}


def test_a_resolvable_rejection_leaves_every_node_to_preemption() -> None:
    snapshot, profile = cluster(), profile_with(Rejected("claim in use", resolvable=True))
    decision = schedule_one(snapshot, pod("web"), evaluations=Evaluations(snapshot, profile), rng=random.Random(1))
    assert decision.failure is not None and decision.failure.resolvable_rows == (0, 1, 2)
