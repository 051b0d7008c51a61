"""Label selectors: grammar, error texts, matching, and invalid input."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import labels
from pybernetes.api.labels import SelectorError
from pybernetes.api.meta import LabelSelector, LabelSelectorRequirement


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("", ""),
        ("  ", ""),
        ("a=b", "a=b"),
        ("a==b", "a==b"),
        (" a = b , c != d ", "a=b,c!=d"),
        ("z,a", "a,z"),
        ("!a", "!a"),
        ("! a", "!a"),
        ("a in (c, b)", "a in (b,c)"),
        ("a notin (b,b)", "a notin (b)"),
        ("a in ()", "a in ()"),
        ("a in (,b)", "a in (,b)"),
        ("a in (b,,c)", "a in (,b,c)"),
        ("in in (in,notin)", "in in (in,notin)"),
        ("a=", "a="),
        ("a=,b", "a=,b"),
        ("a>1,b<2", "a>1,b<2"),
        ("example.com/a=b", "example.com/a=b"),
    ],
)
def test_parse_and_print(text: str, canonical: str) -> None:
    selector = labels.parse(text)
    assert str(selector) == canonical
    assert str(labels.parse(canonical)) == canonical


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a,", "found '', expected: identifier after ','"),
        (",a", "found ',', expected: !, identifier, or 'end of string'"),
        ("=", "found '=', expected: !, identifier, or 'end of string'"),
        ("a=b=c", "found '=', expected: ',' or 'end of string'"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a in (b=", "unable to parse requirement: found '=', expected: ',' or ')'"),
        ("a=!", "unable to parse requirement: found '!', expected: identifier"),
        ("!=a", "found '!=', expected: !, identifier, or 'end of string'"),
        (
            "a>x",
            'unable to parse requirement: values[0]: Invalid value: "x": '
            "for 'Gt', 'Lt' operators, the value must be an integer",
        ),
        ("a>99999999999999999999", "for 'Gt', 'Lt' operators, the value must be an integer"),
        ("-a", 'unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of'),
        ("a=-", 'unable to parse requirement: values[0][a]: Invalid value: "-": a valid label must be'),
        (f"a={'x' * 64}", "must be no more than 63 bytes"),
    ],
)
def test_errors(text: str, error: str) -> None:
    with pytest.raises(SelectorError) as caught:
        labels.parse(text)
    assert error in str(caught.value)


LABELS = {"app": "web", "tier": "front", "size": "10", "empty": ""}


@pytest.mark.parametrize(
    ("text", "selects"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=db", False),
        ("nope=x", False),
        ("app!=db", True),
        ("nope!=x", True),
        ("app!=web", False),
        ("app in (db,web)", True),
        ("app notin (db)", True),
        ("nope notin (db)", True),
        ("nope in (db)", False),
        ("app", True),
        ("nope", False),
        ("!nope", True),
        ("!app", False),
        ("size>9", True),
        ("size<10", False),
        ("app>1", False),
        ("nope>1", False),
        ("empty=", True),
        ("nope=", False),
        ("empty in ()", True),
    ],
)
def test_matches(text: str, selects: bool) -> None:
    assert labels.parse(text).matches(LABELS) is selects


def test_label_selectors_of_objects() -> None:
    selector = labels.from_label_selector(
        LabelSelector(
            match_labels={"tier": "front", "app": "web"},
            match_expressions=[
                LabelSelectorRequirement(key="size", operator="In", values=["10", "9"]),
                LabelSelectorRequirement(key="nope", operator="DoesNotExist"),
                LabelSelectorRequirement(key="empty", operator="Exists"),
                LabelSelectorRequirement(key="app", operator="NotIn", values=["db"]),
            ],
        )
    )
    assert selector.matches(LABELS)
    assert not selector.matches({**LABELS, "nope": ""})
    assert str(selector) == "app=web,app notin (db),empty,!nope,size in (10,9),tier=front"


def test_absent_selects_nothing_and_empty_everything() -> None:
    assert not labels.from_label_selector(None).matches({})
    everything = labels.from_label_selector(LabelSelector())
    assert everything.matches({}) and everything.everything


def test_invalid_label_selectors() -> None:
    like = LabelSelector(match_expressions=[LabelSelectorRequirement(key="a", operator="Like")])
    with pytest.raises(SelectorError, match='"Like" is not a valid label selector operator'):
        labels.from_label_selector(like)
    none = LabelSelector(match_expressions=[LabelSelectorRequirement(key="a", operator="In")])
    with pytest.raises(SelectorError, match="for 'in', 'notin' operators, values set can't be empty"):
        labels.from_label_selector(none)


def test_plain_maps() -> None:
    assert str(labels.from_map({"b": "1", "a": "2"})) == "a=2,b=1"


@given(st.text(alphabet="ab1-./=!<>(), \tinot\x00é", max_size=40))
def test_any_text_parses_or_raises_selector_error(text: str) -> None:
    try:
        selector = labels.parse(text)
    except SelectorError:
        return
    again = labels.parse(str(selector))
    assert again == selector
    assert isinstance(selector.matches(LABELS), bool)


def test_huge_selector() -> None:
    assert len(labels.parse(",".join(f"k{i} in (a,b)" for i in range(20000))).requirements) == 20000
