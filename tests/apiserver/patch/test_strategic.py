"""Strategic merge: scenarios, invalid patches, and that arguments are never changed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.api.policy.pod_disruption_budget import PodDisruptionBudget
from pybernetes.api.shape import shape_of
from pybernetes.apiserver.patch import strategic
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.values import clone, same

from .scenario import Scenario, load

STRUCTS = {s.__name__: s for s in (Pod, Deployment, Service, PodDisruptionBudget)}


@pytest.mark.parametrize("scenario", load("strategic.txt"), ids=lambda s: s.name)
def test_scenarios(scenario: Scenario) -> None:
    live, patch = scenario.get("live"), scenario.get("patch")
    before = clone(live), clone(patch)
    result = strategic.apply(live, patch, shape_of(STRUCTS[live["kind"]]))
    assert result == scenario.get("result")
    assert (live, patch) == before


@pytest.mark.parametrize(
    ("patch", "text"),
    [
        ([], "must be a JSON object"),
        ({"$patch": "explode"}, "Unknown patch type: explode"),
        ({"spec": {"$retainKeys": "x"}}, "retainKeys"),
        ({"spec": {"$retainKeys": ["a"], "b": 1}}, "retainKeys"),
        ({"spec": {"$setElementOrder/containers": 3}}, "setElementOrder"),
        ({"spec": {"containers": [{"image": "x"}]}}, "does not contain declared merge key: name"),
        ({"spec": {"containers": ["x"]}}, "must be maps"),
        ({"spec": {"containers": [[]]}}, "lists of lists"),
        ({"spec": {"containers": [{"name": {}}]}}, "expected a scalar"),
        ({"spec": {"containers": [{"name": "a", "$patch": "merge?"}]}}, "Unknown patch type"),
        ({"metadata": {"$deleteFromPrimitiveList/finalizers": 1}}, "primitive list"),
        (
            {
                "spec": {
                    "$setElementOrder/containers": [{"name": "a"}, {"name": "b"}],
                    "containers": [{"name": "b"}, {"name": "a"}],
                }
            },
            "doesn't match",
        ),
    ],
)
def test_bad_patches(patch: Any, text: str) -> None:
    live = {"metadata": {"finalizers": ["a"]}, "spec": {"containers": [{"name": "a"}], "b": 2}}
    with pytest.raises(PatchError, match=None) as error:
        strategic.apply(live, patch, shape_of(Pod))
    assert text in error.value.message
    assert error.value.code in (400, 422)


def test_deep_nesting_raises() -> None:
    patch: Any = {}
    for _ in range(100_000):
        patch = {"x": patch}
    with pytest.raises(PatchError, match="nested too deeply"):
        strategic.apply({}, patch, shape_of(Pod))


KEYS = (
    "spec containers name $patch $retainKeys $setElementOrder/containers env metadata finalizers "
    "$deleteFromPrimitiveList/finalizers labels x"
)
keys = st.sampled_from(KEYS.split())
scalars = st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b", "delete", "replace", "merge"])
values = st.recursive(scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=4), max_leaves=12)


@given(doc=values, patch=values)
def test_any_patch_returns_or_raises_patch_error(doc: Any, patch: Any) -> None:
    before = clone(doc), clone(patch)
    try:
        strategic.apply(doc, patch, shape_of(Pod))
    except PatchError as error:
        assert error.message
    assert same(doc, before[0]) and same(patch, before[1])
