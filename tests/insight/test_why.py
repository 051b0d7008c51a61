"""`why` on lists of objects: the scheduler's core decides, these tests check the explanation."""

import json
from typing import Any, TypeVar

import msgspec

from pybernetes.api.core.event import Event
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Object
from pybernetes.insight.why import State, explain_pod

K = TypeVar("K", bound=Object)


def made(kind: type[K], **document: Any) -> K:
    return msgspec.json.decode(json.dumps(document), type=kind)


def node(name: str, cpu: str = "4", **spec: Any) -> Node:
    amounts = {"cpu": cpu, "memory": "8Gi", "pods": "110"}
    return made(Node, metadata={"name": name, "labels": {"disk": name}}, spec=spec, status={"allocatable": amounts})


def pod(name: str, on: str = "", cpu: str = "1", **spec: Any) -> Pod:
    container = {"name": "main", "image": "x", "resources": {"requests": {"cpu": cpu}}}
    inner = {"containers": [container], "nodeName": on, "schedulerName": "default-scheduler", **spec}
    return made(Pod, metadata={"name": name, "namespace": "default", "uid": name}, spec=inner)


def test_each_node_is_listed_with_its_filter() -> None:
    tainted = node("tainted", taints=[{"key": "gpu", "value": "yes", "effect": "NoSchedule"}])
    state = State(nodes=[node("small", cpu="500m"), tainted, node("cordoned", unschedulable=True)])
    found = explain_pod(pod("p"), state)
    assert found.summary == "is on no node: none of 3 nodes is feasible"
    assert {v.node: v.refused_by for v in found.verdicts} == {
        "small": "NodeResourcesFit",
        "tainted": "TaintToleration",
        "cordoned": "NodeUnschedulable",
    }
    text = "\n".join(found.lines())
    assert "small     NodeResourcesFit" in text and "Insufficient cpu" in text


def test_a_bound_pod_does_not_count_against_itself() -> None:
    one = pod("p", on="node-1", cpu="4")
    state = State(nodes=[node("node-1"), node("node-2")], pods=[one, pod("other", on="node-2", cpu="2")])
    found = explain_pod(one, state)
    verdicts = {v.node: v for v in found.verdicts}
    assert not verdicts["node-1"].refused_by and verdicts["node-2"].refused_by == "NodeResourcesFit"
    assert "as of now" in found.notes[0] and found.node == "node-1"
    assert "node-1 *" in "\n".join(found.lines())


def test_pods_that_are_not_scheduled_by_us() -> None:
    state = State(nodes=[node("node-1")])
    assert "scheduling gates: later" in explain_pod(pod("p", schedulingGates=[{"name": "later"}]), state).summary
    assert "scheduler 'mine'" in explain_pod(pod("p", schedulerName="mine"), state).summary
    assert "is the scheduler running?" in explain_pod(pod("p"), state).summary
    assert explain_pod(pod("p"), State()).summary == "is on no node: there are no nodes"


def test_events_in_order() -> None:
    events = [
        made(Event, metadata={"name": n}, reason=n, type="Normal", message="m", lastTimestamp=f"2025-01-01T00:00:0{t}Z")
        for n, t in (("Second", 2), ("First", 1))
    ]
    found = explain_pod(pod("p", on="node-1"), State(nodes=[node("node-1")]), events)
    assert [line.split()[2] for line in found.events] == ["First:", "Second:"]
    assert "its creator set spec.nodeName" in found.notes[1]
