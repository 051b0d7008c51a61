"""The steps of a rolling update: recorded scenarios, and the two invariants in any interleaving.

`scenarios/rolling_update.txt` is rewritten with REWRITE=1; review its diff.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.meta import IntOrString
from pybernetes.controllers.deployment_revisions import with_sizes
from pybernetes.controllers.deployment_scaling import Resize, rolling_step, scale_step, size
from pybernetes.controllers.percent import max_surge, max_unavailable, scaled

from .world import load

SCENARIOS = Path(__file__).parent / "scenarios" / "rolling_update.txt"


def deployment(replicas: int, surge: IntOrString, unavailable: IntOrString) -> Deployment:
    rolling = {"maxSurge": surge, "maxUnavailable": unavailable}
    strategy = {"type": "RollingUpdate", "rollingUpdate": rolling}
    return load(Deployment, metadata={"name": "web"}, spec={"replicas": replicas, "strategy": strategy})


def replica_set(name: str, replicas: int, available: int, owner: Deployment, age: int = 0) -> ReplicaSet:
    rs = load(
        ReplicaSet,
        metadata={"name": name, "creationTimestamp": f"2026-01-01T00:00:{age:02}Z"},
        spec={"replicas": replicas},
        status={"replicas": replicas, "availableReplicas": available},
    )
    return with_sizes(rs, owner)


def applied(rs: ReplicaSet, steps: list[Resize]) -> ReplicaSet:
    for step in steps:
        if step.target.metadata.name == rs.metadata.name:
            return replace(rs, spec=replace(rs.spec, replicas=step.size))
    return rs


def caught_up(rs: ReplicaSet, available: int) -> ReplicaSet:
    return replace(rs, status=replace(rs.status, replicas=size(rs), available_replicas=available))


def play(replicas: int, surge: IntOrString, unavailable: IntOrString, broken: int) -> str:
    """A roll-out where all pods become available at once after each step; `broken` old pods never do."""
    owner = deployment(replicas, surge, unavailable)
    old, new = replica_set("old", replicas, replicas - broken, owner), replica_set("new", 0, 0, owner, 1)
    lines = [f"replicas={replicas} maxSurge={surge} maxUnavailable={unavailable} broken={broken}"]
    for _ in range(40):
        steps = rolling_step(owner, new, [old])
        if not steps:
            break
        broken = max(0, broken - sum(size(s.target) - s.size for s in steps if s.target is old))
        old, new = applied(old, steps), applied(new, steps)
        lines.append(f"  old {size(old):2}  new {size(new):2}  {steps[0].reason}")
        old, new = caught_up(old, max(0, size(old) - broken)), caught_up(new, size(new))
    return "\n".join(lines)


def test_scenarios() -> None:
    played = "\n\n".join(
        play(*case)
        for case in [
            (3, 1, 0, 0),
            (3, "25%", "25%", 0),
            (10, "25%", "25%", 0),
            (10, 0, 1, 0),
            (4, 0, 0, 0),
            (4, "100%", 0, 0),
            (4, 1, 1, 2),
            (1, 0, 1, 0),
        ]
    )
    if os.environ.get("REWRITE"):
        SCENARIOS.write_text(played + "\n")
    assert played + "\n" == SCENARIOS.read_text()


@pytest.mark.parametrize(
    ("value", "up", "result"),
    [
        (3, True, 3),
        ("25%", True, 3),
        ("25%", False, 2),
        ("0%", True, 0),
        (None, True, 0),
        ("x%", True, 0),
        ("7", True, 0),
    ],
)
def test_percentages_of_ten(value: IntOrString | None, up: bool, result: int) -> None:
    assert scaled(value, 10, up=up) == result


def test_limits() -> None:
    assert max_unavailable(deployment(4, 0, "10%")) == 1
    assert max_unavailable(deployment(0, 1, 1)) == 0
    assert max_surge(deployment(3, "25%", "25%")) == 1
    assert max_unavailable(deployment(2, 0, 5)) == 2


@pytest.mark.parametrize(
    ("before", "after", "sizes", "expected"),
    [
        (10, 20, {"a": 5, "b": 5}, {"a": 10, "b": 10}),
        (10, 5, {"a": 5, "b": 5}, {"a": 2, "b": 3}),
        (10, 0, {"a": 8, "b": 2}, {"a": 0, "b": 0}),
        (5, 7, {"a": 3, "b": 1, "c": 1}, {"a": 5, "b": 1, "c": 1}),
        (10, 12, {"a": 10}, {"a": 12}),
        (10, 12, {"a": 0}, {"a": 12}),
    ],
)
def test_scaling_in_the_middle_of_an_update(
    before: int, after: int, sizes: dict[str, int], expected: dict[str, int]
) -> None:
    old_owner = deployment(before, 0, 1)
    sets = [replica_set(name, n, 0, old_owner, age) for age, (name, n) in enumerate(sizes.items())]
    steps = scale_step(deployment(after, 0, 1), sets[-1], sets[:-1])
    assert {**sizes, **{s.target.metadata.name: s.size for s in steps}} == expected


class RollingUpdate(RuleBasedStateMachine):
    """A cluster whose components act in any order: the Deployment controller sees statuses of any age."""

    @initialize(replicas=st.integers(1, 8), surge=st.integers(0, 3), unavailable=st.integers(0, 3))
    def begin(self, replicas: int, surge: int, unavailable: int) -> None:
        self.owner = deployment(replicas, surge, unavailable)
        self.sets = [replica_set("rs0", replicas, replicas, self.owner)]
        self.up = {"rs0": replicas}
        self.pods = {"rs0": replicas}

    @rule()
    @precondition(lambda self: len(self.sets) < 4)
    def change_template(self) -> None:
        name = f"rs{len(self.sets)}"
        self.sets.insert(0, replica_set(name, 0, 0, self.owner, len(self.sets)))
        self.up[name] = self.pods[name] = 0

    @rule(data=st.data())
    def roll_back(self, data: st.DataObject) -> None:
        chosen = data.draw(st.sampled_from(range(len(self.sets))))
        self.sets.insert(0, self.sets.pop(chosen))

    @rule()
    def deployment_controller(self) -> None:
        for step in rolling_step(self.owner, self.sets[0], self.sets[1:]):
            index = next(i for i, rs in enumerate(self.sets) if rs.metadata.name == step.target.metadata.name)
            rs = self.sets[index]
            meta = replace(rs.metadata, generation=rs.metadata.generation + 1)
            self.sets[index] = replace(rs, metadata=meta, spec=replace(rs.spec, replicas=step.size))

    @rule(data=st.data())
    def replica_set_controller(self, data: st.DataObject) -> None:
        index = data.draw(st.sampled_from(range(len(self.sets))))
        rs = self.sets[index]
        name = rs.metadata.name
        self.pods[name] = size(rs)
        self.up[name] = min(self.up[name], size(rs))
        self.refresh(index)

    def refresh(self, index: int) -> None:
        rs = self.sets[index]
        name = rs.metadata.name
        status = replace(
            rs.status,
            replicas=self.pods[name],
            available_replicas=self.up[name],
            observed_generation=rs.metadata.generation,
        )
        self.sets[index] = replace(rs, status=status)

    @rule(data=st.data())
    def a_pod_becomes_available(self, data: st.DataObject) -> None:
        waiting = [name for name in self.pods if self.pods[name] > self.up[name]]
        if waiting:
            self.up[data.draw(st.sampled_from(waiting))] += 1

    @invariant()
    def never_too_many(self) -> None:
        if hasattr(self, "owner"):
            assert sum(map(size, self.sets)) <= (self.owner.spec.replicas or 0) + max_surge(self.owner)

    @invariant()
    def never_too_few(self) -> None:
        if hasattr(self, "owner"):
            assert sum(self.up.values()) >= (self.owner.spec.replicas or 0) - max_unavailable(self.owner)

    def teardown(self) -> None:
        """Without further changes every roll-out completes."""
        if not hasattr(self, "owner"):
            return
        for _ in range(60):
            self.deployment_controller()
            for index, rs in enumerate(self.sets):
                self.pods[rs.metadata.name] = self.up[rs.metadata.name] = size(rs)
                self.refresh(index)
        assert [size(rs) for rs in self.sets] == [self.owner.spec.replicas] + [0] * (len(self.sets) - 1)


TestRollingUpdate = RollingUpdate.TestCase
TestRollingUpdate.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
