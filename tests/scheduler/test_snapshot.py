"""A snapshot changed event by event equals one built from scratch, and so do evaluations of it."""

import random
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.assembly import default_profile
from pybernetes.scheduler.core import schedule_one
from pybernetes.scheduler.evaluation import Evaluation, Evaluations
from pybernetes.scheduler.snapshot import Snapshot
from support.profiles import sized

from .make import apart, near, node, pod, taint, tolerate_all
from .naive import World
from .strategies import NAMESPACE_LABELS, nodes, pods
from .test_plugins import build, check

NAMES = ("node-0", "node-1", "node-2", "node-3")
PROBES = (
    pod("probe", cpu="500m", memory="512Mi", labels={"app": "web"}),
    pod("probe", affinity=near("topology.kubernetes.io/zone", app="web"), labels={"app": "web"}),
    pod("probe", affinity=apart("kubernetes.io/hostname", app="db"), tolerations=tolerate_all()),
)


class Cluster(RuleBasedStateMachine):
    """Nodes and pods are added, changed and removed; the model is the plain list of them."""

    def __init__(self) -> None:
        super().__init__()
        self.snapshot = Snapshot()
        self.evaluations = Evaluations(self.snapshot, default_profile())
        self.rng = random.Random(0)
        self.world = World(namespaces=dict(NAMESPACE_LABELS))
        for name, labels in NAMESPACE_LABELS.items():
            self.snapshot.pods.put_namespace(name, labels)
        self.put_node(node("node-0"))

    @rule(made=nodes(st.sampled_from(NAMES)))
    def put_node(self, made: Node) -> None:
        self.snapshot.put_node(made)
        self.world.nodes[made.metadata.name] = made

    @rule(name=st.sampled_from(NAMES))
    def remove_node(self, name: str) -> None:
        self.snapshot.remove_node(name)
        self.world.nodes.pop(name, None)

    @rule(made=pods(), confirm=st.booleans())
    def schedule(self, made: Pod, confirm: bool) -> None:
        made.metadata.uid = f"pod-{self.rng.getrandbits(60)}"
        decision = schedule_one(self.snapshot, made, evaluations=self.evaluations, rng=self.rng)
        if decision.failure is not None:
            return
        bound = replace_spec(made, node_name=decision.node_name)
        self.world.pods.append(bound)
        if confirm:
            self.snapshot.put_pod(bound)

    @rule(made=pods(st.sampled_from(NAMES)))
    def bound_by_others(self, made: Pod) -> None:
        made.metadata.uid = f"pod-{self.rng.getrandbits(60)}"
        self.snapshot.put_pod(made)
        self.world.pods.append(made)

    @rule(number=st.integers(0, 9), how=st.sampled_from(("gone", "ended", "terminating", "relabelled")))
    def change_pod(self, number: int, how: str) -> None:
        if number >= len(self.world.pods):
            return
        old = self.world.pods.pop(number)
        new = msgspec.convert(msgspec.to_builtins(old), Pod)
        if how == "gone":
            self.snapshot.remove_pod(old.metadata.uid)
            return
        if how == "ended":
            new.status.phase = "Succeeded"
        else:
            self.world.pods.append(new)
        if how == "terminating":
            new.metadata.deletion_timestamp = "2026-01-01T00:00:00Z"
        if how == "relabelled":
            new.metadata.labels = {"app": "other"}
        self.snapshot.put_pod(new)

    @rule(labels=st.sampled_from(({}, {"env": "prod"})))
    def change_namespace(self, labels: dict[str, str]) -> None:
        self.snapshot.pods.put_namespace("team", labels)
        self.world.namespaces["team"] = labels

    @rule(probe=pods())
    def compare_with_the_rules(self, probe: Pod) -> None:
        if self.world.nodes:
            known = World(
                self.world.nodes, [p for p in self.world.pods if p.spec.node_name in self.world.nodes],
                self.world.namespaces,
            )  # fmt: skip
            check(known, self.snapshot, probe)

    @invariant()
    def equals_a_rebuilt_snapshot(self) -> None:
        fresh = build(self.world)
        assert arrays(self.snapshot) == arrays(fresh)
        for probe in PROBES:
            kept = self.evaluations.of(self.snapshot.templates.of(probe))
            new = Evaluation(fresh, self.evaluations.profile, fresh.templates.of(probe))
            new.refresh()
            assert verdicts(kept) == verdicts(new)


def replace_spec(made: Pod, **changes: Any) -> Pod:
    return msgspec.structs.replace(made, spec=msgspec.structs.replace(made.spec, **changes))


def arrays(snapshot: Snapshot) -> dict[str, object]:
    """The contents of each row, by node name."""
    names = sorted(snapshot.nodes.resources)
    return {
        name: (
            [int(snapshot.nodes.allocatable[snapshot.resource(r), row]) for r in names],
            [int(snapshot.requested[snapshot.resource(r), row]) for r in names],
            snapshot.non_zero[:, row].tolist(),
            int(snapshot.pod_count[row]),
        )
        for name, row in snapshot.nodes.row_of.items()
    }


def verdicts(evaluation: Evaluation) -> dict[str, object]:
    totals = evaluation.totals()
    return {
        name: int(totals[row]) if evaluation.feasible[row] else "refused"
        for name, row in evaluation.snapshot.nodes.row_of.items()
    }


TestCluster = pytest.mark.slow(Cluster.TestCase)
TestCluster.settings = settings(max_examples=sized(30, 400), stateful_step_count=25)


def test_pods_bound_to_an_unknown_node_count_when_it_appears() -> None:
    snapshot = Snapshot()
    snapshot.put_pod(pod("web", cpu="1", on="node-1"))
    snapshot.put_node(node("node-1"))
    assert snapshot.requested[0, 0] == 1000
    snapshot.remove_node("node-1")
    assert not snapshot.requested.any()
    snapshot.put_node(node("node-1"))
    assert snapshot.requested[0, 0] == 1000


def test_forget_removes_assumed_pods_but_not_confirmed_ones() -> None:
    snapshot = Snapshot()
    snapshot.put_node(node("node-1"))
    web = pod("web", cpu="1")
    decision = schedule_one(snapshot, web, evaluations=Evaluations(snapshot, default_profile()), rng=random.Random(1))
    assert snapshot.requested[0, 0] == 1000
    snapshot.forget(web.metadata.uid)
    assert not snapshot.requested.any() and not snapshot.pod_count.any()
    snapshot.assume(web, decision.template, decision.row)
    snapshot.put_pod(replace_spec(web, node_name="node-1"))
    snapshot.forget(web.metadata.uid)
    assert snapshot.requested[0, 0] == 1000


def test_rows_grow_beyond_the_initial_capacity_and_are_reused() -> None:
    snapshot = Snapshot()
    for number in range(40):
        snapshot.put_node(node(f"node-{number}", zone="a"))
    snapshot.remove_node("node-7")
    assert snapshot.put_node(node("other", taints=[taint("gpu")])) == 7
    assert snapshot.nodes.size == 40 and np.count_nonzero(snapshot.nodes.valid) == 40
