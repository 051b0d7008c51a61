"""The queue, with explicit time."""

from typing import Any

import msgspec
import pytest

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod, PodSchedulingGate
from pybernetes.api.meta import Object
from pybernetes.scheduler.assembly import default_profile
from pybernetes.scheduler.config import Config
from pybernetes.scheduler.events import Action, Event
from pybernetes.scheduler.hints import helps
from pybernetes.scheduler.queue import Place, SchedulingQueue
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Templates

from .make import node, pod

TEMPLATES = Templates()
PROFILE = default_profile()


def put(queue: SchedulingQueue, made: Pod, now: float = 0.0) -> None:
    queue.put(made, TEMPLATES.of(made), now, PROFILE.gate(made))


def names(queue: SchedulingQueue) -> list[str]:
    found = []
    while (item := queue.pop()) is not None:
        found.append(item.pod.metadata.name)
    return found


def refused(queue: SchedulingQueue, made: Pod, *plugins: str, now: float = 0.0) -> None:
    put(queue, made, now)
    item = queue.pop()
    assert item is not None
    queue.failed(item, plugins or ("NodeResourcesFit",), now)


@pytest.fixture
def queue() -> SchedulingQueue:
    return SchedulingQueue(Config(), PROFILE.queue_sort)


def test_pods_are_ordered_by_priority_then_by_age(queue: SchedulingQueue) -> None:
    put(queue, pod("late"), 2.0)
    put(queue, pod("early"), 1.0)
    put(queue, pod("important", priority=1000), 3.0)
    put(queue, pod("unimportant", priority=-1), 0.0)
    assert names(queue) == ["important", "early", "late", "unimportant"]


def test_a_changed_priority_reorders_the_queue(queue: SchedulingQueue) -> None:
    first, second = pod("first"), pod("second")
    put(queue, first, 1.0)
    put(queue, second, 2.0)
    put(queue, msgspec.structs.replace(second, spec=msgspec.structs.replace(second.spec, priority=5)), 3.0)
    assert names(queue) == ["second", "first"]


def test_a_removed_pod_is_not_returned(queue: SchedulingQueue) -> None:
    gone = pod("gone")
    put(queue, gone)
    queue.remove(gone.metadata.uid)
    assert names(queue) == [] and len(queue) == 0


def test_backoff_doubles_from_one_second_to_ten(queue: SchedulingQueue) -> None:
    web = pod("web")
    put(queue, web)
    now, rests = 0.0, []
    for _ in range(6):
        item = queue.pop()
        assert item is not None
        queue.retry_later(item, now)
        due = queue.next_due()
        assert due is not None
        rests.append(due - now)
        queue.advance(due - 0.001)
        assert queue.pop() is None
        now = due
        queue.advance(now)
    assert rests == [1, 2, 4, 8, 10, 10]


def test_a_helpful_event_waits_for_the_backoff(queue: SchedulingQueue) -> None:
    web = pod("web")
    refused(queue, web, now=100.0)
    assert queue.on_event(lambda template, plugins: plugins == ("NodeResourcesFit",), 100.5) == 1
    assert queue.pop() is None
    queue.advance(101.0)
    assert names(queue) == ["web"]


def test_after_the_backoff_a_helpful_event_activates_the_pod(queue: SchedulingQueue) -> None:
    refused(queue, pod("web"), now=100.0)
    queue.on_event(lambda template, plugins: True, 105.0)
    assert names(queue) == ["web"]


def test_an_event_that_does_not_help_changes_nothing(queue: SchedulingQueue) -> None:
    refused(queue, pod("web"))
    assert queue.on_event(lambda template, plugins: False, 60.0) == 0
    queue.advance(60.0)
    assert queue.pop() is None


def test_an_unschedulable_pod_is_retried_after_five_minutes(queue: SchedulingQueue) -> None:
    refused(queue, pod("web"), now=0.0)
    queue.advance(299.0)
    assert queue.pop() is None
    queue.advance(330.0)
    assert names(queue) == ["web"]


def test_gated_pods_wait_until_their_gates_are_removed(queue: SchedulingQueue) -> None:
    web = pod("web", scheduling_gates=[PodSchedulingGate(name="g")])
    put(queue, web)
    queue.on_event(lambda template, plugins: True, 1000.0)
    queue.advance(1000.0)
    assert queue.pop() is None and queue.counts()[Place.GATED] == 1
    put(queue, msgspec.structs.replace(web, spec=msgspec.structs.replace(web.spec, scheduling_gates=[])), 1.0)
    assert names(queue) == ["web"]


def test_a_change_of_the_pod_itself_retries_it(queue: SchedulingQueue) -> None:
    web = pod("web", cpu="64", labels={"a": "b"})
    refused(queue, web, now=0.0)
    put(queue, web, 50.0)
    assert queue.pop() is None, "a status update does not retry it"
    smaller = pod("web", cpu="1", uid=web.metadata.uid)
    put(queue, smaller, 50.0)
    assert names(queue) == ["web"]


def test_a_pod_in_progress_is_put_back_only_if_it_was_not_removed(queue: SchedulingQueue) -> None:
    web = pod("web")
    put(queue, web)
    item = queue.pop()
    assert item is not None
    put(queue, web, 1.0)
    assert queue.pop() is None, "a pod in progress is not returned twice"
    queue.remove(web.metadata.uid)
    queue.retry_later(item, 2.0)
    assert len(queue) == 0 and queue.next_due() is None


# --- hints


A = Action


@pytest.mark.parametrize(
    ("plugin", "kind", "action", "expected"),
    [
        ("NodeResourcesFit", Pod, A.DELETE, True),
        ("NodeResourcesFit", Node, A.UPDATE_NODE_ALLOCATABLE, True),
        ("NodeResourcesFit", Node, A.UPDATE_NODE_LABEL, False),
        ("TaintToleration", Node, A.UPDATE_NODE_TAINT, True),
        ("TaintToleration", Pod, A.DELETE, False),
        ("NodeAffinity", Node, A.UPDATE_NODE_LABEL, True),
        ("InterPodAffinity", Pod, A.ADD, True),
        ("InterPodAffinity", Namespace, A.UPDATE, True),
        ("PodTopologySpread", Node, A.DELETE, True),
        ("NodePorts", Pod, A.ADD, False),
        ("NodePorts", Namespace, A.ADD, False),
    ],
)
def test_kinds_of_events_per_plugin(plugin: str, kind: type[Object], action: Action, expected: bool) -> None:
    snapshot = Snapshot()
    event = Event(kind=kind, action=action)
    assert helps(snapshot, PROFILE, snapshot.templates.of(pod("web")), (plugin,), event) is expected


def test_without_nodes_only_a_new_node_helps() -> None:
    snapshot = Snapshot()
    template = snapshot.templates.of(pod("web"))
    assert helps(snapshot, PROFILE, template, (), Event(kind=Node, action=A.ADD))
    assert not helps(snapshot, PROFILE, template, (), Event(kind=Pod, action=A.DELETE))


def test_a_node_event_helps_only_if_that_node_passes_now() -> None:
    snapshot = Snapshot()
    row = snapshot.put_node(node("node-1", cpu="1", labels={"disk": "ssd"}))
    large = snapshot.templates.of(pod("large", cpu="2", node_selector={"disk": "ssd"}))
    small = snapshot.templates.of(pod("small", cpu="500m", node_selector={"disk": "hdd"}))
    added, labelled = Event(kind=Node, action=A.ADD, row=row), Event(kind=Node, action=A.UPDATE_NODE_LABEL, row=row)
    assert not helps(snapshot, PROFILE, large, ("NodeResourcesFit",), added)
    assert helps(snapshot, PROFILE, small, ("NodeResourcesFit",), added)
    assert helps(snapshot, PROFILE, large, ("NodeAffinity",), labelled)
    assert not helps(snapshot, PROFILE, small, ("NodeAffinity",), labelled)
    assert helps(snapshot, PROFILE, large, ("NodeResourcesFit", "NodeAffinity"), added)


@pytest.mark.parametrize(
    "wrong",
    [{"initial_backoff": 0}, {"max_backoff": 0.5}, {"parallel_bindings": 0}, {"profiles": ()}],
)
def test_a_wrong_config_names_the_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Config(**wrong)
