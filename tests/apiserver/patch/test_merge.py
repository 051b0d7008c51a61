"""The examples of RFC 7386, appendix A, and our own errors."""

from typing import Any

import pytest

from pybernetes.apiserver.patch import merge
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.values import clone

RFC_7386 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("doc", "patch", "result"), RFC_7386)
def test_rfc_examples(doc: Any, patch: Any, result: Any) -> None:
    before = clone(doc), clone(patch)
    assert merge.merge(doc, patch) == result
    assert (doc, patch) == before


@pytest.mark.parametrize("patch", [None, 1, "x", [], True])
def test_a_patch_of_an_object_must_be_an_object(patch: Any) -> None:
    with pytest.raises(PatchError) as error:
        merge.apply({}, patch)
    assert error.value.code == 400


def test_the_result_shares_nothing_with_the_inputs() -> None:
    doc, patch = {"a": {"b": [1]}}, {"c": {"d": [2]}}
    result = merge.apply(doc, patch)
    result["a"]["b"].append(9)
    result["c"]["d"].append(9)
    assert (doc, patch) == ({"a": {"b": [1]}}, {"c": {"d": [2]}})
