"""Decisions, and the texts that explain why a pod has no node."""

import random

import pytest

from pybernetes.api.core.affinity import Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm
from pybernetes.api.core.container import Container, ContainerPort, ResourceRequirements
from pybernetes.api.core.pod import Pod, PodSpec
from pybernetes.api.labels import Selector, from_map
from pybernetes.scheduler.assembly import default_profile
from pybernetes.scheduler.core import Decision, schedule_many
from pybernetes.scheduler.evaluation import Evaluations
from pybernetes.scheduler.explain import explain
from pybernetes.scheduler.resources import NON_ZERO, pod_requests
from pybernetes.scheduler.snapshot import Snapshot

from .make import HOSTNAME, apart, near, node, pod, profile_spreading, taint


def cluster(*nodes: object) -> Snapshot:
    snapshot = Snapshot()
    for made in nodes:
        snapshot.put_node(made)  # type: ignore[arg-type]
    return snapshot


def decide(snapshot: Snapshot, *pods: Pod, spread: Selector | None = None, seed: int = 3) -> list[Decision]:
    evaluations = Evaluations(snapshot, profile_spreading(spread))
    return list(schedule_many(snapshot, pods, evaluations=evaluations, rng=random.Random(seed)))


def place(snapshot: Snapshot, *pods: Pod, spread: Selector | None = None) -> list[str]:
    decisions = decide(snapshot, *pods, spread=spread)
    return [d.failure.message() if d.failure else d.node_name for d in decisions]


def pinned(name: str) -> Affinity:
    field = NodeSelectorRequirement(key="metadata.name", operator="In", values=[name])
    terms = NodeSelector(node_selector_terms=[NodeSelectorTerm(match_fields=[field])])
    return Affinity(node_affinity=NodeAffinity(required_during_scheduling_ignored_during_execution=terms))


HOST_PORT = [ContainerPort(container_port=80, host_port=80, protocol="TCP")]


@pytest.mark.parametrize(
    ("wanted", "reasons"),
    [
        (pod("p", cpu="5", memory="9Gi"), "2 Insufficient cpu, 2 Insufficient memory"),
        (pod("p", node_selector={"a": "b"}), "2 node(s) didn't match Pod's node affinity/selector"),
        (pod("p", ports=HOST_PORT), "2 node(s) didn't have free ports for the requested pod ports"),
        (pod("p", affinity=pinned("gone")), "2 node(s) didn't satisfy plugin(s) [NodeAffinity]"),
        (pod("p", affinity=near(HOSTNAME, app="x")), "2 node(s) didn't match pod affinity rules"),
        (pod("p", affinity=apart(HOSTNAME, app="y")), "2 node(s) didn't match pod anti-affinity rules"),
    ],
)
def test_texts(wanted: Pod, reasons: str) -> None:
    snapshot = cluster(node("n1"), node("n2"))
    for name in ("n1", "n2"):
        snapshot.put_pod(pod(f"on-{name}", on=name, ports=HOST_PORT, labels={"app": "y"}))
    assert place(snapshot, wanted) == [f"0/2 nodes are available: {reasons}."]


def test_each_node_counts_for_the_first_filter_that_refuses_it() -> None:
    snapshot = cluster(
        node("n1", unschedulable=True, cpu="0"), node("n2", taints=[taint("gpu", value="yes")]), node("n3", pods="0")
    )
    assert place(snapshot, pod("p")) == [
        "0/3 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint {gpu: yes}, "
        "1 node(s) were unschedulable."
    ]


def test_the_preemption_text_counts_nodes_where_preemption_can_help() -> None:
    snapshot = cluster(node("n1", cpu="1"), node("n2", cpu="8"))
    snapshot.put_pod(pod("full", on="n2", cpu="8"))
    (decision,) = decide(snapshot, pod("p", cpu="2"))
    assert decision.failure is not None
    assert decision.failure.preemption_text() == (
        "preemption: 0/2 nodes are available: 1 No preemption victims found for incoming pod, "
        "1 Preemption is not helpful for scheduling."
    )


def test_anti_affinity_places_one_pod_per_node() -> None:
    snapshot = cluster(node("n1"), node("n2"), node("n3"))
    pods = [pod(f"p{n}", labels={"app": "web"}, affinity=apart(HOSTNAME, app="web")) for n in range(4)]
    *placed, last = place(snapshot, *pods)
    assert sorted(placed) == ["n1", "n2", "n3"]
    assert last == "0/3 nodes are available: 3 node(s) didn't match pod anti-affinity rules."


def test_the_first_pod_of_a_group_with_affinity_is_placed() -> None:
    snapshot = cluster(node("n1", zone="a"), node("n2", zone="b"))
    pods = [pod(f"p{n}", labels={"app": "web"}, affinity=near(HOSTNAME, app="web")) for n in range(3)]
    assert len(set(place(snapshot, *pods))) == 1


def test_replicas_of_a_service_are_spread_by_default() -> None:
    snapshot = cluster(node("big", cpu="64", memory="256Gi"), node("n2"), node("n3"))
    pods = [pod(f"p{n}", cpu="100m", labels={"app": "web"}) for n in range(3)]
    assert sorted(place(snapshot, *pods, spread=from_map({"app": "web"}))) == ["big", "n2", "n3"]


def test_nodes_with_equal_scores_are_chosen_at_random() -> None:
    found = set()
    for seed in range(30):
        snapshot = cluster(node("n1"), node("n2"), node("n3"))
        (decision,) = decide(snapshot, pod("p"), seed=seed)
        found.add(decision.node_name)
    assert found == {"n1", "n2", "n3"}


def test_a_node_name_restricts_the_pod_to_that_node() -> None:
    snapshot = cluster(node("n1"), node("n2"))
    template = snapshot.templates.of(pod("p"), node_name="n2")
    assert template.node_name == "n2" and template is not snapshot.templates.of(pod("p"))
    verdicts = {verdict.node: verdict.reasons for verdict in explain(snapshot, default_profile(), template)}
    assert verdicts == {"n2": (), "n1": ("node(s) didn't match the requested node name",)}


def container(cpu: str, restart_policy: str = "") -> Container:
    requests = {"cpu": cpu} if cpu else {}
    return Container(name="c", restart_policy=restart_policy, resources=ResourceRequirements(requests=dict(requests)))


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        (PodSpec(containers=[container("1"), container("500m")]), 1500),
        (PodSpec(containers=[container("1")], init_containers=[container("3")]), 3000),
        (PodSpec(containers=[container("1")], init_containers=[container("2", "Always")]), 3000),
        (PodSpec(containers=[container("1")], init_containers=[container("1", "Always"), container("4")]), 5000),
        (PodSpec(containers=[container("1")], init_containers=[container("4"), container("1", "Always")]), 4000),
        (PodSpec(containers=[container("1")], overhead={"cpu": "250m"}), 1250),
        (PodSpec(containers=[container("1")], resources=ResourceRequirements(requests={"cpu": "7"})), 7000),
        (PodSpec(containers=[container("")]), 0),
        (PodSpec(containers=[container("100E")]), 1 << 53),
        (PodSpec(containers=[container("-1")]), 0),
        (PodSpec(containers=[container("much")]), 0),
    ],
)
def test_pod_requests(spec: PodSpec, cpu: int) -> None:
    assert pod_requests(spec).get("cpu", 0) == cpu


def test_scores_assume_requests_for_containers_without_any() -> None:
    assert pod_requests(PodSpec(containers=[container("1"), container("")]), NON_ZERO) == {
        "cpu": 1100,
        "memory": 400 << 20,
    }


def test_extended_resources() -> None:
    snapshot = cluster(node("n1"))
    wanted = pod("p")
    wanted.spec.containers[0].resources.requests["example.com/gpu"] = "1"
    assert place(snapshot, wanted) == ["0/1 nodes are available: 1 Insufficient example.com/gpu."]
    better = node("n1")
    better.status.allocatable["example.com/gpu"] = "1"
    snapshot.put_node(better)
    assert place(snapshot, wanted) == ["n1"]
