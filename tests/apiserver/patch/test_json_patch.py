"""The examples of RFC 6902, appendix A, limits, error texts, and invalid input."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.apiserver.patch import json_patch
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.values import clone, same

RFC_6902 = [
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux"}], {"baz": "qux", "foo": "bar"}),
    ({"foo": ["bar", "baz"]}, [{"op": "add", "path": "/foo/1", "value": "q"}], {"foo": ["bar", "q", "baz"]}),
    ({"baz": "qux", "foo": "bar"}, [{"op": "remove", "path": "/baz"}], {"foo": "bar"}),
    ({"foo": ["bar", "qux", "baz"]}, [{"op": "remove", "path": "/foo/1"}], {"foo": ["bar", "baz"]}),
    ({"baz": "q", "foo": "b"}, [{"op": "replace", "path": "/baz", "value": "boo"}], {"baz": "boo", "foo": "b"}),
    (
        {"foo": {"bar": "baz", "waldo": "fred"}, "qux": {"corge": "grault"}},
        [{"op": "move", "from": "/foo/waldo", "path": "/qux/thud"}],
        {"foo": {"bar": "baz"}, "qux": {"corge": "grault", "thud": "fred"}},
    ),
    (
        {"foo": ["all", "grass", "cows", "eat"]},
        [{"op": "move", "from": "/foo/1", "path": "/foo/3"}],
        {"foo": ["all", "cows", "eat", "grass"]},
    ),
    (
        {"baz": "qux", "foo": ["a", 2, "c"]},
        [{"op": "test", "path": "/baz", "value": "qux"}, {"op": "test", "path": "/foo/1", "value": 2}],
        {"baz": "qux", "foo": ["a", 2, "c"]},
    ),
    ({"foo": "bar"}, [{"op": "add", "path": "/c", "value": {"g": {}}}], {"foo": "bar", "c": {"g": {}}}),
    ({"foo": "bar"}, [{"op": "add", "path": "/baz", "value": "qux", "xyz": 123}], {"foo": "bar", "baz": "qux"}),
    ({"/": 9, "~1": 10}, [{"op": "test", "path": "/~01", "value": 10}], {"/": 9, "~1": 10}),
    ({"foo": ["bar"]}, [{"op": "add", "path": "/foo/-", "value": ["abc", "def"]}], {"foo": ["bar", ["abc", "def"]]}),
    ({"a": 1}, [{"op": "copy", "from": "/a", "path": "/b"}], {"a": 1, "b": 1}),
    ({"a": 1}, [{"op": "replace", "path": "", "value": {"b": 2}}], {"b": 2}),
    ({"a": 1}, [{"op": "test", "path": "/missing", "value": None}], {"a": 1}),
    ({"a": 1}, [{"op": "test", "path": "/a", "value": 1.0}], {"a": 1}),
]


@pytest.mark.parametrize(("doc", "ops", "result"), RFC_6902)
def test_rfc_examples(doc: Any, ops: Any, result: Any) -> None:
    before = clone(doc), clone(ops)
    assert json_patch.apply(doc, ops) == result
    assert (doc, ops) == before


@pytest.mark.parametrize(
    ("ops", "code", "text"),
    [
        ({}, 400, "must be a list"),
        (["x"], 400, "must be an object"),
        ([{"op": "explode", "path": "/a"}], 422, "Unexpected kind: explode"),
        ([{"op": ["add"], "path": "/a"}], 422, "Unexpected kind: unknown"),
        ([{"op": "add", "path": 3, "value": 1}], 400, "must be a string"),
        ([{"op": "add", "path": "a", "value": 1}], 422, "must start with '/'"),
        ([{"op": "add", "path": "/x/y", "value": 1}], 422, 'doc is missing path: "/x/y": missing value'),
        ([{"op": "add", "path": "/s/y", "value": 1}], 422, "doc is missing path"),
        ([{"op": "add", "path": "/x"}], 422, "has no value"),
        ([{"op": "add"}], 422, "has no path"),
        ([{"op": "remove", "path": "/x"}], 422, "Unable to remove nonexistent key: x: missing value"),
        ([{"op": "remove", "path": ""}], 422, "can't be removed"),
        ([{"op": "replace", "path": "/x", "value": 1}], 422, "doc is missing key: /x: missing value"),
        ([{"op": "test", "path": "/s", "value": "T"}], 422, "testing value /s failed: test failed"),
        ([{"op": "test", "path": "/n", "value": True}], 422, "testing value /n failed"),
        ([{"op": "add", "path": "/l/3", "value": 1}], 422, "Unable to access invalid index: 3"),
        ([{"op": "add", "path": "/l/01", "value": 1}], 422, "Unable to access invalid index: 01"),
        ([{"op": "remove", "path": "/l/-"}], 422, "Unable to access invalid index: -"),
        ([{"op": "remove", "path": "/l/²"}], 422, "Unable to access invalid index"),
        ([{"op": "move", "from": "/m", "path": "/m/x"}], 422, "lies within"),
        ([{"op": "copy", "path": "/x"}], 400, "must be a string"),
        ([{"op": "test", "path": "/s", "value": "S"}] * 10_001, 413, "The allowed maximum operations"),
        ([{"op": "copy", "from": "", "path": "/l/-"}] * 40, 413, "accumulated size"),
    ],
)
def test_errors(ops: Any, code: int, text: str) -> None:
    with pytest.raises(PatchError) as error:
        json_patch.apply({"s": "S", "n": 1, "l": [1, 2], "m": {}}, ops)
    assert error.value.code == code
    assert text in error.value.message


paths = st.sampled_from(["", "/", "/a", "/b", "/a/0", "/a/-", "/a/b", "/b/a", "/~1", "x"])
ops = st.lists(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]), "path": paths},
        optional={"from": paths, "value": st.none() | st.integers() | st.just([1]) | st.just({"a": [1]})},
    ),
    max_size=5,
)
docs = st.recursive(
    st.none() | st.integers() | st.text(max_size=2),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "/"]), v),
    max_leaves=8,
)


@given(doc=docs, patch=ops | docs)
def test_any_patch_returns_or_raises_patch_error(doc: Any, patch: Any) -> None:
    before = clone(doc), clone(patch)
    try:
        json_patch.apply(doc, patch)
    except PatchError as error:
        assert error.message
    assert same(doc, before[0]) and same(patch, before[1])
