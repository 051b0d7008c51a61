"""The arrays give the same results as the plain rules, for any cluster and any pod."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.labels import from_map
from pybernetes.scheduler.assembly import default_profile
from pybernetes.scheduler.evaluation import Evaluation
from pybernetes.scheduler.explain import explain
from pybernetes.scheduler.snapshot import Snapshot
from support.profiles import sized

from . import naive
from .make import profile_spreading
from .strategies import NAMESPACE_LABELS, nodes, pods

WEIGHTS = {score.name: score.weight for score in default_profile().scores}


def build(world: naive.World) -> Snapshot:
    snapshot = Snapshot()
    for name, labels in world.namespaces.items():
        snapshot.pods.put_namespace(name, labels)
    for node in world.nodes.values():
        snapshot.put_node(node)
    for pod in world.pods:
        snapshot.put_pod(pod)
    return snapshot


def check(world: naive.World, snapshot: Snapshot, pod: Pod) -> None:
    template = snapshot.templates.of(pod)
    profile = profile_spreading(world.default)
    verdicts = {verdict.node: verdict for verdict in explain(snapshot, profile, template)}
    assert verdicts.keys() == world.nodes.keys()
    for name, node in world.nodes.items():
        assert list(verdicts[name].reasons) == naive.refusal(world, template, node), name
    feasible = [node for name, node in world.nodes.items() if not verdicts[name].refused_by]
    expected = naive.scores(world, template, feasible)
    for node in feasible:
        name = node.metadata.name
        wanted = {plugin: WEIGHTS[plugin] * by_node[name] for plugin, by_node in expected.items()}
        assert {plugin: verdicts[name].scores.get(plugin, 0) for plugin in wanted} == wanted, name
    evaluation = Evaluation(snapshot, profile, template)
    evaluation.refresh()
    totals = evaluation.totals()
    for node in feasible:
        name = node.metadata.name
        assert totals[snapshot.nodes.row_of[name]] == verdicts[name].total


@st.composite
def worlds(draw: st.DrawFn) -> naive.World:
    count = draw(st.integers(1, 5))
    made: list[Node] = [draw(nodes(st.just(f"node-{i}"))) for i in range(count)]
    placed: list[Pod] = draw(st.lists(pods(st.sampled_from([n.metadata.name for n in made])), max_size=6))
    for pod in placed:
        if draw(st.sampled_from((False, False, False, True))):
            pod.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
    return naive.World(
        {n.metadata.name: n for n in made},
        placed,
        dict(NAMESPACE_LABELS),
        draw(st.sampled_from((None, from_map({"app": "web"})))),
    )


@pytest.mark.slow
@given(worlds(), pods())
@settings(max_examples=sized(80, 1500))
def test_filters_and_scores_agree_with_the_plain_rules(world: naive.World, pod: Pod) -> None:
    check(world, build(world), pod)
