"""Server-side apply: a manager sends the fields that it wants, and owns them from then on.

The applied configuration is merged into the live object. Fields that the manager applied before and now omits are
removed unless another manager owns them. Changing a field of another manager is a conflict, unless forced.
"""

from typing import Any

from pybernetes.api.shape import ANY, Shape
from pybernetes.apiserver.patch.errors import ApplyConflict, PatchError
from pybernetes.apiserver.patch.fieldset import (
    Tree,
    compare,
    difference,
    intersection,
    is_granular,
    is_member,
    items_of,
    members,
    paths,
    without,
)
from pybernetes.apiserver.patch.managed import (
    APPLY,
    UPDATE,
    Entry,
    entries_of,
    fields_of,
    in_order,
    new_entry,
    ownable,
    same_manager,
    with_fields,
)
from pybernetes.apiserver.patch.values import Json, clone, guarded

BEFORE_FIRST_APPLY = "before-first-apply"


def server_side_apply(
    live: Json | None,
    applied: Json,
    *,
    shape: Shape,
    api_version: str,
    manager: str,
    force: bool,
    now: str,
    subresource: str = "",
) -> Json:
    """The new object, managedFields included; equal to `live` when the apply changes nothing.

    Raises ApplyConflict, and PatchError for a configuration that does not fit the kind.
    """
    if not isinstance(applied, dict):
        raise PatchError("an apply patch must be an object")
    if not isinstance(applied.get("metadata", {}), dict):
        raise PatchError("metadata must be an object")
    if entries_of(applied):
        raise PatchError("metadata.managedFields must be nil")
    job = _Apply(shape, api_version, manager, now, subresource)
    return guarded(lambda: job.run(live, applied, force))


class _Apply:
    """One apply by one manager."""

    def __init__(self, shape: Shape, api_version: str, manager: str, now: str, subresource: str) -> None:
        self.shape = shape
        self.api_version = api_version
        self.manager = manager
        self.now = now
        self.subresource = subresource

    def run(self, live: Json | None, applied: dict[str, Json], force: bool) -> Json:
        wanted = self._applied_fields(applied)
        old = without_entries(live) if isinstance(live, dict) else {}
        entries = self._entries(live, old)
        mine = next((e for e in entries if self._is_mine(e)), None)
        others = [e for e in entries if not self._is_mine(e)]
        new = merge(old, without_entries(applied), self.shape)
        if mine is not None:
            prune(new, fields_of(mine), [wanted, *map(fields_of, others)], self.shape, root=True)
        changed, removed = compare(old, new, self.shape)
        changed, removed = (ownable(tree, self.shape, self.subresource) for tree in (changed, removed))
        if not force:
            self._check(others, changed)
        kept = [with_fields(e, difference(without(fields_of(e), removed), changed)) for e in others]
        result = [e for e in kept if e is not None]
        if wanted:
            result.append(self._own(mine, wanted))
        metadata = new.get("metadata")
        new["metadata"] = {**(metadata if isinstance(metadata, dict) else {}), "managedFields": in_order(result)}
        return new

    def _applied_fields(self, applied: dict[str, Json]) -> Tree:
        """The fields that the manager owns after the apply."""
        try:
            return ownable(members(without_entries(applied), self.shape), self.shape, self.subresource)
        except PatchError as error:
            metadata = applied.get("metadata")
            names = metadata if isinstance(metadata, dict) else {}
            what = f"{names.get('namespace', '')}/{names.get('name', '')}; {self.api_version}, "
            kind = applied.get("kind", "")
            text = f"failed to create typed patch object ({what}Kind={kind}): {error.message}"
            raise PatchError(text, error.code) from error

    def _is_mine(self, entry: Entry) -> bool:
        return same_manager(entry, self.manager, APPLY, self.api_version, self.subresource)

    def _entries(self, live: Json | None, old: dict[str, Json]) -> list[Entry]:
        """The present entries. An object without entries is owned by `before-first-apply`."""
        entries = [e for e in entries_of(live) if fields_of(e)] if live is not None else []
        if entries or not old:
            return entries
        fields = ownable(compare({}, old, self.shape)[0], self.shape, self.subresource)
        made = new_entry(
            fields,
            manager=BEFORE_FIRST_APPLY,
            operation=UPDATE,
            api_version=self.api_version,
            now=self.now,
            subresource="",
        )
        return [made] if fields else []

    def _check(self, others: list[Entry], changed: Tree) -> None:
        """Raises ApplyConflict if another manager owns a changed field."""
        conflicts = [
            (_named(entry), path) for entry in others for path in paths(intersection(fields_of(entry), changed))
        ]
        if conflicts:
            raise ApplyConflict(conflicts)

    def _own(self, mine: Entry | None, wanted: Tree) -> Entry:
        if mine is not None and fields_of(mine) == wanted and mine.get("apiVersion") == self.api_version:
            return mine
        return new_entry(
            wanted,
            manager=self.manager,
            operation=APPLY,
            api_version=self.api_version,
            now=self.now,
            subresource=self.subresource,
        )


def _named(entry: Entry) -> str:
    """The text that names a manager in a conflict."""
    text = f'"{entry.get("manager", "")}"'
    if entry.get("subresource"):
        text += f' with subresource "{entry["subresource"]}"'
    return f"{text} using {entry.get('apiVersion', '')}" if entry.get("operation") == UPDATE else text


def without_entries(doc: dict[str, Json]) -> dict[str, Json]:
    """A deep copy of an object without its managedFields."""
    metadata = doc.get("metadata")
    if not isinstance(metadata, dict):
        return dict(clone(doc))
    rest = {k: v for k, v in metadata.items() if k != "managedFields"}
    return {k: rest if k == "metadata" else clone(v) for k, v in doc.items()} | {"metadata": clone(rest)}


def merge(old: Json, new: Json, shape: Shape) -> Json:
    """Merge `new` into `old`: granular values merge, all others are replaced."""
    if not is_granular(new, shape) or type(old) is not type(new):
        return clone(new)
    if isinstance(new, dict):
        merged = dict(old)
        for key, value in new.items():
            merged[key] = merge(old.get(key), value, shape.child(key) or ANY)
        return merged
    return _merge_list(old, new, shape)


def _merge_list(old: list[Json], new: list[Json], shape: Shape) -> list[Json]:
    """Items of `new` in its order; items that are only in `old` keep their position relative to common items."""
    before, after = items_of(old, shape), items_of(new, shape)
    place = {element: n for n, element in enumerate(before)}
    rest = [element for element in before if element not in after]
    shared = [place[element] for element in after if element in before]
    merged: list[Json] = []
    for element, value in after.items():
        # Old items before the next common item come first; after the last common item, all remaining ones.
        limit = shared[0] if shared else len(before)
        while rest and place[rest[0]] < limit:
            merged.append(before[rest.pop(0)])
        if element in before:
            shared.pop(0)
            merged.append(merge(before[element], value, shape.item or ANY))
        else:
            merged.append(clone(value))
    return merged + [before[element] for element in rest]


def prune(value: Json, last: Tree, keep: list[Tree], shape: Shape, *, root: bool = False) -> None:
    """Remove from `value`, in place, what `last` owns and no set of `keep` owns, and maps that become empty."""
    for element, owned in last.items():
        if element == ".":
            continue
        kept = [tree[element] for tree in keep if element in tree]
        child, inner = _find(value, element, shape)
        if child is _NOTHING or (kept and not is_granular(child, inner)):
            continue
        if not kept and not (root and element == "f:metadata"):
            _remove(value, element, shape)
            continue
        prune(child, owned, kept, inner)
        if child in ({}, []) and element.startswith("f:") and not any(is_member(t) for t in kept):
            _remove(value, element, shape)


_NOTHING: Any = object()


def _find(value: Json, element: str, shape: Shape) -> tuple[Json, Shape]:
    """The member of a value that a path element selects, with its shape."""
    if element.startswith("f:") and isinstance(value, dict):
        key = element[2:]
        return value.get(key, _NOTHING), shape.child(key) or ANY
    if isinstance(value, list) and shape.form == "list" and not shape.atomic:
        return items_of(value, shape).get(element, _NOTHING), shape.item or ANY
    return _NOTHING, ANY


def _remove(value: Json, element: str, shape: Shape) -> None:
    if isinstance(value, dict):
        del value[element[2:]]
        return
    gone = items_of(value, shape)[element]
    value[:] = [item for item in value if item is not gone and item != gone]
