"""The differential tool's own parts."""

from pathlib import Path

import pytest
from tools.differential import accepted, recorded
from tools.differential.answers import Answer, difference, normal
from tools.differential.corpus import Case, Change, cases, graft, kinds, pairs


@pytest.mark.parametrize(
    ("base", "at", "value", "expected"),
    [
        ({}, ("a", "b"), 1, {"a": {"b": 1}}),
        ({"a": 1}, ("a", 0, "b"), 2, {"a": [{"b": 2}]}),
        ({"a": [{"b": 1, "c": 2}]}, ("a", 0, "b"), 3, {"a": [{"b": 3, "c": 2}]}),
        ({"a": [1, 2]}, ("a", 0), None, {"a": [None, 2]}),
        ({"a": [1]}, ("a", "b"), 1, {"a": {"b": 1}}),
    ],
)
def test_graft(base: object, at: tuple[str | int, ...], value: object, expected: object) -> None:
    before = repr(base)
    assert graft(base, at, value) == expected
    assert repr(base) == before


def test_what_a_server_makes_up_does_not_count() -> None:
    theirs = {"metadata": {"uid": "1", "name": "x", "managedFields": [{"manager": "t", "time": "now"}]}}
    assert normal(theirs) == {"metadata": {"name": "x", "managedFields": [{"manager": "t"}]}}


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (Answer(201, {"a": 1}), Answer(201, {"a": 1}), ""),
        (Answer(201, {"a": 1}), Answer(201, {"a": 2}), "object"),
        (Answer(201, {}), Answer(422, {}), "code"),
        (Answer(422, {"message": "a"}), Answer(422, {"message": "b"}), "text"),
        (Answer(422, {"reason": "a"}), Answer(422, {"reason": "b"}), "causes"),
        (Answer(200, {}, ("w",)), Answer(200, {}), "warnings"),
    ],
)
def test_difference(theirs: Answer, ours: Answer, expected: str) -> None:
    assert difference(theirs, ours) == expected


def test_recorded_cases_are_those_of_the_corpus(tmp_path: Path) -> None:
    (lease,) = (of for of in kinds() if of.kind == "Lease")
    rows = recorded.read(lease)
    drawn = [str(case) for case in cases(lease)]
    assert [str(case) for case, _ in rows] == drawn
    recorded.write(lease, rows, tmp_path)
    assert recorded.read(lease, tmp_path) == rows


def test_pairs_are_the_same_for_the_same_seed() -> None:
    (lease,) = (of for of in kinds() if of.kind == "Lease")
    assert [str(case) for case in pairs(lease, 1, 20)] == [str(case) for case in pairs(lease, 1, 20)]
    assert [str(case) for case in pairs(lease, 1, 20)] != [str(case) for case in pairs(lease, 2, 20)]


def test_an_accepted_difference_covers_what_it_names() -> None:
    entry = accepted.Accepted("core.v1.*", "create", "spec.*", "because", ("null",))
    case = Case("create", (Change(("spec", "a"), "null", None),))
    assert entry.covers("core.v1.Pod", case)
    assert not entry.covers("apps.v1.Deployment", case)
    assert not entry.covers("core.v1.Pod", Case("create", (Change(("spec", "a"), "full", 1),)))
