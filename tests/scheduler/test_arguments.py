"""What the arguments of plugins change."""

import random
from typing import Any

import pytest

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service, ServiceSpec
from pybernetes.api.meta import ObjectMeta
from pybernetes.scheduler.assembly import assemble
from pybernetes.scheduler.configuration import PluginConfig, ProfileConfig
from pybernetes.scheduler.core import Decision, schedule_many
from pybernetes.scheduler.evaluation import Evaluations
from pybernetes.scheduler.explain import explain
from pybernetes.scheduler.objects import FixedObjects
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.registry import IN_TREE
from pybernetes.scheduler.snapshot import Snapshot

from .make import HOSTNAME, ZONE, near, node, pod


def profile(name: str, *objects: Any, **args: Any) -> Profile:
    config = ProfileConfig(scheduler_name="default-scheduler", plugin_config=(PluginConfig(name=name, args=args),))
    return assemble(config, IN_TREE, FixedObjects(*objects))


def cluster(*pods: Pod) -> Snapshot:
    snapshot = Snapshot()
    for number in (1, 2):
        snapshot.put_node(node(f"n{number}", cpu="10", memory="10Gi", zone=f"z{number}"))
    for made in pods:
        snapshot.put_pod(made)
    return snapshot


def score(found: Profile, snapshot: Snapshot, wanted: Pod, plugin: str) -> dict[str, int]:
    verdicts = explain(snapshot, found, snapshot.templates.of(wanted))
    return {verdict.node: verdict.scores.get(plugin, 0) for verdict in sorted(verdicts, key=lambda v: v.node)}


def decide(found: Profile, snapshot: Snapshot, *pods: Pod) -> list[Decision]:
    evaluations = Evaluations(snapshot, found)
    return list(schedule_many(snapshot, pods, evaluations=evaluations, rng=random.Random(1)))


def shape(*points: tuple[int, int]) -> dict[str, Any]:
    return {"shape": [{"utilization": utilization, "score": score} for utilization, score in points]}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ({"type": "LeastAllocated"}, {"n1": 30, "n2": 80}),
        ({"type": "MostAllocated"}, {"n1": 70, "n2": 20}),
        ({"type": "LeastAllocated", "resources": [{"name": "cpu", "weight": 3}, {"name": "memory", "weight": 1}]},
         {"n1": 25, "n2": 80}),
        ({"type": "MostAllocated", "resources": [{"name": "memory"}]}, {"n1": 60, "n2": 20}),
        ({"type": "MostAllocated", "resources": [{"name": "cpu"}, {"name": "example.com/gpu"}]}, {"n1": 80, "n2": 20}),
        ({"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": shape((0, 0), (100, 10))},
         {"n1": 70, "n2": 20}),
        ({"type": "RequestedToCapacityRatio", "requestedToCapacityRatio": shape((0, 10), (50, 0), (100, 10)),
          "resources": [{"name": "cpu"}]}, {"n1": 60, "n2": 60}),
    ],
)  # fmt: skip
def test_scoring_strategies(strategy: dict[str, Any], expected: dict[str, int]) -> None:
    snapshot = cluster(pod("a", on="n1", cpu="6", memory="4Gi"))
    found = profile("NodeResourcesFit", scoringStrategy=strategy)
    assert score(found, snapshot, pod("p", cpu="2", memory="2Gi"), "NodeResourcesFit") == expected


def test_ignored_resources_do_not_have_to_fit() -> None:
    wanted = pod("p")
    wanted.spec.containers[0].resources.requests["example.com/gpu"] = "1"
    for args in ({"ignoredResources": ["example.com/gpu"]}, {"ignoredResourceGroups": ["example.com"]}):
        (decision,) = decide(profile("NodeResourcesFit", **args), cluster(), wanted)
        assert decision.failure is None
    (decision,) = decide(profile("NodeResourcesFit", ignoredResources=["example.com/tpu"]), cluster(), wanted)
    assert decision.failure is not None


@pytest.mark.parametrize(("resources", "expected"), [(["cpu"], 100), (["cpu", "memory", "ephemeral-storage"], 75)])
def test_balanced_resources(resources: list[str], expected: int) -> None:
    snapshot = cluster()
    found = profile("NodeResourcesBalancedAllocation", resources=[{"name": name} for name in resources])
    by_node = score(found, snapshot, pod("p", cpu="5"), "NodeResourcesBalancedAllocation")
    assert by_node["n1"] == expected


@pytest.mark.parametrize(("weight", "expected"), [(0, {"n1": 0, "n2": 0}), (5, {"n1": 200, "n2": 0})])
def test_hard_pod_affinity_weight(weight: int, expected: dict[str, int]) -> None:
    friend = pod("friend", on="n1", labels={"app": "db"}, affinity=near(ZONE, app="web"))
    found = profile("InterPodAffinity", hardPodAffinityWeight=weight)
    assert score(found, cluster(friend), pod("p", labels={"app": "web"}), "InterPodAffinity") == expected


def test_preferred_terms_of_existing_pods_can_be_ignored() -> None:
    friend = pod("friend", on="n1", labels={"app": "db"}, affinity=near(ZONE, app="web"))
    found = profile("InterPodAffinity", ignorePreferredTermsOfExistingPods=True)
    wanted = pod("p", labels={"app": "web"})
    assert score(found, cluster(friend), wanted, "InterPodAffinity") == {"n1": 0, "n2": 0}


def test_added_affinity() -> None:
    term = {"matchExpressions": [{"key": HOSTNAME, "operator": "In", "values": ["n2"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    first, second = decide(
        profile("NodeAffinity", addedAffinity=required), cluster(), pod("p"), pod("q", node_selector={HOSTNAME: "n1"})
    )
    assert first.node_name == "n2" and second.failure is not None
    assert second.failure.message() == (
        "0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, "
        "1 node(s) didn't match scheduler-enforced node affinity."
    )
    preferred = {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "preference": term}]}
    found = profile("NodeAffinity", addedAffinity=preferred)
    assert score(found, cluster(), pod("p"), "NodeAffinity") == {"n1": 0, "n2": 200}


def test_default_constraints_as_a_list() -> None:
    constraint = {"maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}
    service = Service(metadata=ObjectMeta(name="web", namespace="default"), spec=ServiceSpec(selector={"app": "web"}))
    found = profile("PodTopologySpread", service, defaultingType="List", defaultConstraints=[constraint])
    snapshot = cluster(pod("web-1", on="n1", labels={"app": "web"}))
    decisions = decide(found, snapshot, pod("web-2", labels={"app": "web"}), pod("other", cpu="1"))
    assert decisions[0].node_name == "n2" and decisions[1].failure is None
    snapshot = cluster(pod("web-1", on="n1", labels={"app": "web"}), pod("other", on="n2", cpu="10"))
    (decision,) = decide(found, snapshot, pod("web-2", cpu="1", labels={"app": "web"}))
    assert decision.failure is not None
    assert "1 node(s) didn't match pod topology spread constraints" in decision.failure.message()


def test_no_default_constraints() -> None:
    service = Service(metadata=ObjectMeta(name="web", namespace="default"), spec=ServiceSpec(selector={"app": "web"}))
    snapshot = cluster(pod("web-1", on="n1", labels={"app": "web"}))
    wanted = pod("web-2", labels={"app": "web"})
    found = profile("PodTopologySpread", service, defaultingType="List")
    assert score(found, snapshot, wanted, "PodTopologySpread") == {"n1": 0, "n2": 0}
    system = profile("PodTopologySpread", service)
    assert score(system, snapshot, wanted, "PodTopologySpread")["n2"] == 200
