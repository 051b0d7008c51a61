"""Conditions: validation and update."""

import pytest

from pybernetes.api.conditions import find, validate_conditions, with_condition
from pybernetes.api.field import Errors, Path
from pybernetes.api.kinds import kind_of
from pybernetes.api.meta import Condition
from pybernetes.api.policy.pod_disruption_budget import PodDisruptionBudget, PodDisruptionBudgetStatus

THEN, NOW = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"


def condition(type: str = "Ready", status: str = "True", reason: str = "Fine", since: str = THEN) -> Condition:
    return Condition(type=type, status=status, reason=reason, last_transition_time=since)


def test_transition_time_changes_only_with_the_status() -> None:
    before = [condition("A"), condition("B")]
    same = with_condition(before, condition("A", reason="Better", since=""), NOW)
    assert [(c.type, c.reason, c.last_transition_time) for c in same] == [("A", "Better", THEN), ("B", "Fine", THEN)]
    other = with_condition(before, condition("B", "False", since=""), NOW)
    assert [c.last_transition_time for c in other] == [THEN, NOW]
    added = with_condition(before, condition("C", since=""), NOW)
    assert [c.type for c in added] == ["A", "B", "C"] and added[2].last_transition_time == NOW
    assert find(added, "C") is added[2] and find(before, "C") is None


@pytest.mark.parametrize(
    ("bad", "place", "words"),
    [
        ([condition(), condition()], "c[1]", 'Duplicate value: "Ready"'),
        ([condition("")], "c[0].type", "Required value: is required"),
        ([condition("a b")], "c[0].type", "name part must consist of"),
        ([condition(status="Maybe")], "c[0].status", 'supported values: "False", "True", "Unknown"'),
        ([condition(since="")], "c[0].lastTransitionTime", "Required value"),
        ([condition(reason="")], "c[0].reason", "Required value"),
        ([condition(reason="not one word")], "c[0].reason", "a condition reason must start with alphabetic"),
        ([condition(reason="x" * 1025)], "c[0].reason", "Too long"),
        ([Condition(type="A", status="True", reason="B", last_transition_time=THEN, message="x" * 32769)],
         "c[0].message", "Too long"),
        ([Condition(type="A", status="True", reason="B", last_transition_time=THEN, observed_generation=-1)],
         "c[0].observedGeneration", "must be greater than or equal to zero"),
    ],
)  # fmt: skip
def test_invalid_conditions(bad: list[Condition], place: str, words: str) -> None:
    errors = Errors()
    validate_conditions(bad, Path("c"), errors)
    assert any(e.path == place and words in e.message for e in errors.items), errors.items


def test_counts_of_a_disruption_budget_are_not_negative() -> None:
    errors = Errors()
    status = PodDisruptionBudgetStatus(disruptions_allowed=-1, current_healthy=-1, desired_healthy=-1, expected_pods=-1)
    kind = kind_of(PodDisruptionBudget)
    endpoint = kind.subresource("status")
    assert endpoint is not None and endpoint.validate is not None
    endpoint.validate(PodDisruptionBudget(status=status), PodDisruptionBudget(), errors)
    names = ["disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"]
    assert [e.path for e in errors.items] == [f"status.{name}" for name in names]
