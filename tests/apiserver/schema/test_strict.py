"""Unknown and duplicate fields."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.core.pod import Pod
from pybernetes.api.shape import shape_of
from pybernetes.apiserver.schema.strict import find_problems, find_value_problems, find_yaml_problems

POD = shape_of(Pod)
CASES = [
    (b'{"kind":"Pod","spec":{"nodeName":"x"}}', []),
    (b'{"spec":{"foo":1}}', ['unknown field "spec.foo"']),
    (b'{"foo":1,"spec":{"containers":[{"name":"a"},{"nme":"b"}]}}',
     ['unknown field "foo"', 'unknown field "spec.containers[1].nme"']),
    (b'{"metadata":{"labels":{"a":"1","a":"2"}}}', ['duplicate field "metadata.labels.a"']),
    (b'{"spec":{"nodeName":"x","nodeName":"y","nodeName":"z"}}', ['duplicate field "spec.nodeName"']),
    (b'{"metadata":{"managedFields":[{"fieldsV1":{"f:x":{},"f:x":{}}}]}}', []),
    (b'{"spec":{"volumes":[{"name":"v","secret":{"items":[{"kye":"k"}]}}]}}',
     ['unknown field "spec.volumes[0].secret.items[0].kye"']),
    (b'{"spec":{"nodename":"x"}}', ['unknown field "spec.nodename"']),
    (b'{"spec":7,"metadata":[{"x":1}]}', []),
    (b"[1,2]", []),
    (b"not json", []),
    (b"\xff\xfe", []),
    (b"[" * 100_000, []),
]  # fmt: skip


@pytest.mark.parametrize(("body", "problems"), CASES)
def test_json(body: bytes, problems: list[str]) -> None:
    assert find_problems(body, POD) == problems


def test_yaml_duplicates_are_reported_with_their_line() -> None:
    body = b"metadata:\n  labels:\n    a: x\n    a: y\nspec:\n  foo: 1\n"
    assert find_yaml_problems(body, POD) == ['line 4: key "a" already set in map', 'unknown field "spec.foo"']


def test_yaml_aliases_are_visited_once() -> None:
    lines = ["l0: &l0 [a]"] + [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert len(find_yaml_problems("\n".join(lines).encode(), POD)) == 30


def test_invalid_yaml_is_left_to_decoding() -> None:
    assert find_yaml_problems(b"a: [", POD) == []


def test_at_most_100_problems() -> None:
    body = msgspec.json.encode({f"x{n}": 1 for n in range(500)})
    assert len(find_problems(body, POD)) == 100


def test_a_decoded_value() -> None:
    assert find_value_problems({"spec": {"template": {"spec": {"x": 1}}}}, shape_of(Deployment)) == [
        'unknown field "spec.template.spec.x"'
    ]


names = st.sampled_from(["spec", "metadata", "containers", "labels", "env", "x", "volumes"])
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(names, v),
    max_leaves=15,
)


@given(values)
def test_any_json_is_checked(value: Any) -> None:
    for problem in find_problems(msgspec.json.encode(value), POD):
        assert problem.startswith("unknown field ")
