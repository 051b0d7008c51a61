"""Field selectors: terms, escapes, errors, and the fields that select pods."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import fields
from pybernetes.api.core.pod import KIND, Pod, PodSpec
from pybernetes.api.fields import Requirement, SelectorError
from pybernetes.api.meta import ObjectMeta


@pytest.mark.parametrize(
    ("text", "wants"),
    [
        ("", []),
        (",", []),
        ("a=b", [Requirement("a", "=", "b")]),
        ("a==b", [Requirement("a", "=", "b")]),
        ("c!=d,a=b", [Requirement("a", "=", "b"), Requirement("c", "!=", "d")]),
        ("a=", [Requirement("a", "=", "")]),
        (r"a=x\,y\=z\\", [Requirement("a", "=", r"x,y=z" + "\\")]),
    ],
)
def test_parse(text: str, wants: list[Requirement]) -> None:
    assert fields.parse(text) == wants


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("a", "invalid selector: 'a'; can't understand 'a'"),
        ("a=b,c", "invalid selector: 'a=b,c'; can't understand 'c'"),
        (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
        ("a=b\\", "invalid field selector: invalid escape sequence: \\"),
        ("a=b=c", "invalid field selector: unescaped character in value: 61"),
    ],
)
def test_errors(text: str, error: str) -> None:
    with pytest.raises(SelectorError) as caught:
        fields.parse(text)
    assert str(caught.value) == error


def test_pods_by_fields() -> None:
    pod = Pod(metadata=ObjectMeta(name="p", namespace="x"), spec=PodSpec(node_name="n1"))
    matches = fields.matcher(KIND, fields.parse("spec.nodeName=n1,metadata.name=p,status.phase!=Running"))
    assert matches(pod)
    assert not fields.matcher(KIND, fields.parse("spec.nodeName!=n1"))(pod)
    assert fields.matcher(KIND, fields.parse("spec.hostNetwork=false"))(pod)
    with pytest.raises(SelectorError, match=r"field label not supported: spec\.nope"):
        fields.matcher(KIND, fields.parse("spec.nope=1"))


@given(st.text(max_size=20))
def test_escape_round_trip(value: str) -> None:
    assert fields.parse(f"a={fields.escape(value)}") == [Requirement("a", "=", value)]


@given(st.text(alphabet="ab.=!\\,\x00", max_size=30))
def test_any_text_parses_or_raises_selector_error(text: str) -> None:
    try:
        found = fields.parse(text)
    except SelectorError:
        return
    assert all(fields.parse(str(r)) == [r] for r in found if r.field and not set(r.field) & set("\\,=!"))
