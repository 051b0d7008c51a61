"""Server-side apply and managedFields: scenarios, timestamps, errors, limits and invalid input."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api.apps.deployment import Deployment
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.service import Service
from pybernetes.api.shape import shape_of
from pybernetes.apiserver.patch.apply import server_side_apply, without_entries
from pybernetes.apiserver.patch.errors import ApplyConflict, PatchError
from pybernetes.apiserver.patch.fieldset import difference, intersection, paths, union, without
from pybernetes.apiserver.patch.managed import MAX_UPDATERS, entries_of, track_update
from pybernetes.apiserver.patch.values import clone, same

from .scenario import Scenario, load

POD = shape_of(Pod)
STRUCTS: dict[str, Any] = {s.__name__: s for s in (Pod, Deployment, Service)}
VERSIONS = {"Deployment": "apps/v1"}


class Run:
    """Runs the steps of a scenario on an object."""

    def __init__(self) -> None:
        self.doc: Any = None
        self.conflict = ""
        self.clock = 0

    def step(self, title: str, value: Any) -> None:
        action, *words = title.split()
        self.clock += 1
        if action in ("create", "update", "apply", "defaults"):
            assert not self.conflict, self.conflict
            getattr(self, action)(clone(value), words)
        elif action == "result":
            assert without_entries(self.doc) == value
        elif action == "owners":
            assert self.owners() == {k: sorted(v) for k, v in value.items()}
        else:
            assert self.conflict == value
            self.conflict = ""

    def about(self, value: Any) -> dict[str, Any]:
        kind = value["kind"]
        now = f"2026-01-01T00:00:{self.clock:02}Z"
        return {"shape": shape_of(STRUCTS[kind]), "api_version": VERSIONS.get(kind, "v1"), "now": now}

    def create(self, value: Any, words: list[str]) -> None:
        self.doc = value
        value.setdefault("metadata", {})["managedFields"] = track_update(
            None, value, manager=words[0], **self.about(value)
        )

    def update(self, value: Any, words: list[str]) -> None:
        subresource = words[1] if len(words) > 1 else ""
        entries = track_update(self.doc, value, manager=words[0], subresource=subresource, **self.about(value))
        value.setdefault("metadata", {})["managedFields"] = entries
        self.doc = value

    def apply(self, value: Any, words: list[str]) -> None:
        before, given_value = clone(self.doc), clone(value)
        try:
            self.doc, old = (
                server_side_apply(self.doc, value, manager=words[0], force="force" in words, **self.about(value)),
                self.doc,
            )
            assert same(old, before)
        except ApplyConflict as error:
            self.conflict = str(error)
        assert same(value, given_value)

    def defaults(self, value: Any, words: list[str]) -> None:
        value["metadata"]["managedFields"] = entries_of(self.doc)
        self.doc = value

    def owners(self) -> dict[str, list[str]]:
        found = {}
        for entry in entries_of(self.doc):
            name = " ".join([entry["operation"], entry["manager"], *filter(None, [entry.get("subresource")])])
            found[name] = sorted(paths(entry["fieldsV1"]))
        return found


@pytest.mark.parametrize("scenario", load("apply.txt"), ids=lambda s: s.name)
def test_scenarios(scenario: Scenario) -> None:
    run = Run()
    for section in scenario.sections:
        run.step(section.title, section.value)
    assert not run.conflict


def apply(live: Any, applied: Any, *, now: str = "t1", force: bool = False, manager: str = "m") -> Any:
    return server_side_apply(live, applied, shape=POD, api_version="v1", manager=manager, force=force, now=now)


def test_repeated_apply_leaves_the_object_unchanged() -> None:
    live = apply(None, {"metadata": {"labels": {"a": "1"}}}, now="t1")
    assert apply(live, {"metadata": {"labels": {"a": "1"}}}, now="t2") == live
    changed = apply(live, {"metadata": {"labels": {"a": "2"}}}, now="t2")
    assert entries_of(changed)[0]["time"] == "t1", "the set is the same"
    more = apply(live, {"metadata": {"labels": {"a": "1", "b": "1"}}}, now="t2")
    assert entries_of(more)[0]["time"] == "t2"


def test_update_without_changes_keeps_the_entries() -> None:
    live = apply(None, {"metadata": {"labels": {"a": "1"}}})
    entries = track_update(live, live, shape=POD, api_version="v1", manager="x", now="t2")
    assert entries == entries_of(live)


def test_entries_have_the_format_of_kube_apiserver() -> None:
    (entry,) = entries_of(apply(None, {"metadata": {"name": "x", "labels": {"a": "1"}}}))
    assert list(entry.items()) == [
        ("manager", "m"),
        ("operation", "Apply"),
        ("apiVersion", "v1"),
        ("time", "t1"),
        ("fieldsType", "FieldsV1"),
        ("fieldsV1", {"f:metadata": {"f:labels": {"f:a": {}}}}),
    ]


def test_an_object_without_entries_belongs_to_before_first_apply() -> None:
    live = {"metadata": {"labels": {"a": "1"}}}
    with pytest.raises(ApplyConflict, match='"before-first-apply" using v1'):
        apply(live, {"metadata": {"labels": {"a": "2"}}})


def test_a_client_may_clear_the_entries() -> None:
    live = apply(None, {"metadata": {"labels": {"a": "1"}}})
    new = {"metadata": {"labels": {"a": "1"}, "managedFields": [{}]}}
    assert track_update(live, new, shape=POD, api_version="v1", manager="x", now="t2") == []


def test_updates_are_not_recorded_where_no_fields_have_owners() -> None:
    about: dict[str, Any] = {"shape": POD, "api_version": "v1", "manager": "m", "now": "2026"}
    old: Any = {"metadata": {"name": "a"}}
    assert track_update(old, {"metadata": {"name": "a", "labels": {"l": "x"}}}, **about) == []


def test_items_with_the_same_keys_have_one_owner() -> None:
    about: dict[str, Any] = {"shape": POD, "api_version": "v1", "manager": "m", "now": "2026"}
    new: Any = {"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "a", "image": "y"}]}}
    (entry,) = track_update(None, new, **about)
    assert entry["fieldsV1"]["f:spec"]["f:containers"] == {'k:{"name":"a"}': {}}


def test_nothing_is_recorded_of_an_object_with_an_item_without_keys() -> None:
    about: dict[str, Any] = {"shape": POD, "api_version": "v1", "manager": "m", "now": "2026"}
    assert track_update(None, {"spec": {"containers": [{"image": "x"}]}}, **about) == []


def test_surplus_update_entries_are_merged() -> None:
    made: dict[str, Any] = {"shape": POD, "api_version": "v1", "manager": "maker", "now": "2025"}
    doc: Any = {"metadata": {"labels": {"l": "x"}}}
    doc["metadata"]["managedFields"] = track_update(None, doc, **made)
    for n in range(25):
        new = {"metadata": {"labels": {**doc["metadata"]["labels"], f"l{n}": "x"}}}
        about: dict[str, Any] = {"shape": POD, "api_version": "v1", "manager": f"m{n}", "now": f"2026-{n:02}"}
        new["metadata"]["managedFields"] = track_update(doc, new, **about)
        doc = new
    entries = entries_of(doc)
    assert len(entries) == MAX_UPDATERS
    ancient = next(e for e in entries if e["manager"] == "ancient-changes")
    assert len(list(paths(ancient["fieldsV1"]))) >= 16


@pytest.mark.parametrize(
    ("applied", "text"),
    [
        ([], "must be an object"),
        ({"metadata": {"managedFields": [{"manager": "x"}]}}, "metadata.managedFields must be nil"),
        ({"spec": {"foo": 1}}, ".spec.foo: field not declared in schema"),
        ({"spec": {"containers": [{"name": "a"}, {"name": "a"}]}}, 'duplicate entries for key [name="a"]'),
        ({"spec": {"containers": [{"image": "a"}]}}, 'omits key field "name"'),
        ({"spec": {"containers": ["a"]}}, "non-map elements"),
        ({"metadata": {"finalizers": ["a", "a"]}}, "duplicate entries"),
    ],
)
def test_errors(applied: Any, text: str) -> None:
    with pytest.raises(PatchError) as error:
        apply(None, applied)
    assert text in error.value.message


def test_deep_nesting_raises() -> None:
    deep: Any = {}
    for _ in range(100_000):
        deep = {"x": deep}
    with pytest.raises(PatchError):
        apply(None, {"metadata": {"labels": deep}})


names = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"', "."])
trees = st.recursive(st.just({}), lambda t: st.dictionaries(names, t, max_size=3), max_leaves=8).map(
    lambda t: union({}, normal(t))
)


def normal(tree: dict[str, Any]) -> dict[str, Any]:
    """A tree as computed from objects: "." is always empty and never the only key."""
    inner = {k: normal(v) for k, v in tree.items() if k != "."}
    return {".": {}, **inner} if "." in tree and inner else inner


def leaves(tree: dict[str, Any]) -> set[str]:
    return set(paths(tree))


@given(trees, trees)
def test_sets_of_fields_are_sets(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert leaves(union(a, b)) == leaves(a) | leaves(b)
    assert leaves(difference(a, b)) == leaves(a) - leaves(b)
    assert leaves(intersection(a, b)) == leaves(a) & leaves(b)
    assert leaves(without(a, b)) <= leaves(a)


keys = st.sampled_from(
    ["metadata", "labels", "spec", "containers", "name", "image", "finalizers", "managedFields", "x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(0, 2) | st.sampled_from(["a", "b"]),
    lambda v: st.lists(v, max_size=3) | st.dictionaries(keys, v, max_size=4),
    max_leaves=14,
)


@given(live=st.none() | st.dictionaries(keys, values), applied=values, force=st.booleans())
def test_any_apply_returns_or_raises_a_defined_error(live: Any, applied: Any, force: bool) -> None:
    before = clone(live), clone(applied)
    try:
        apply(live, applied, force=force)
    except (PatchError, ApplyConflict) as error:
        assert str(error)
    assert same(live, before[0]) and same(applied, before[1])


@given(old=st.none() | st.dictionaries(keys, values), new=st.dictionaries(keys, values))
def test_any_update_can_be_tracked(old: Any, new: Any) -> None:
    before = clone(old), clone(new)
    track_update(old, new, shape=POD, api_version="v1", manager="m", now="t")
    assert same(old, before[0]) and same(new, before[1])
