"""managedFields: which manager last set which field.

An entry has a manager, an operation (Apply or Update), an API version and a set of fields. A write removes the fields
that it changes from the sets of other managers. The time of an entry changes only when its set does.
"""

from collections.abc import Iterable
from typing import Any

from pybernetes.api.shape import Shape
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.fieldset import Tree, compare, difference, union, without
from pybernetes.apiserver.patch.values import Json, guarded

Entry = dict[str, Any]
APPLY, UPDATE = "Apply", "Update"
ANCIENT = "ancient-changes"
MAX_UPDATERS = 10
"""When there are more Update entries, the oldest are merged."""

#: Metadata that the server maintains; it has no owner.
UNOWNED = [
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
]


def entries_of(doc: Json) -> list[Entry]:
    """The managedFields of an object."""
    metadata = doc.get("metadata") if isinstance(doc, dict) else None
    found = metadata.get("managedFields") if isinstance(metadata, dict) else None
    return [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []


def fields_of(entry: Entry) -> Tree:
    """The set of an entry; empty when it is malformed."""
    fields = entry.get("fieldsV1")
    return fields if isinstance(fields, dict) else {}


def same_manager(entry: Entry, manager: str, operation: str, api_version: str, subresource: str) -> bool:
    """Whether an entry belongs to this manager. Entries of Apply match any API version."""
    return (
        entry.get("manager", "") == manager
        and entry.get("operation") == operation
        and entry.get("subresource", "") == subresource
        and (operation == APPLY or entry.get("apiVersion") == api_version)
    )


def new_entry(fields: Tree, *, manager: str, operation: str, api_version: str, now: str, subresource: str) -> Entry:
    """An entry, its keys in the order of kube-apiserver."""
    entry: Entry = {
        "manager": manager,
        "operation": operation,
        "apiVersion": api_version,
        "time": now,
        "fieldsType": "FieldsV1",
        "fieldsV1": fields,
    }
    if subresource:
        entry["subresource"] = subresource
    return entry


def with_fields(entry: Entry, fields: Tree) -> Entry | None:
    """The entry with another set: the same object if the set is equal, None if the set is empty."""
    if not fields:
        return None
    return entry if fields == fields_of(entry) else {**entry, "fieldsV1": fields}


def ownable(fields: Tree, shape: Shape, subresource: str) -> Tree:
    """A set without fields that have no owner, and without spec or status, whichever the endpoint does not write."""
    kept = {k: v for k, v in fields.items() if k not in ("f:apiVersion", "f:kind")}
    if "status" in shape.fields and "spec" in shape.fields:
        kept.pop("f:spec" if subresource == "status" else "f:status", None)
    metadata = kept.get("f:metadata")
    if metadata is not None:
        left = {k: v for k, v in metadata.items() if k != "." and k.removeprefix("f:") not in UNOWNED}
        if left:
            kept["f:metadata"] = left
        else:
            del kept["f:metadata"]
    return kept


def track_update(
    old: Json | None,
    new: Json,
    *,
    shape: Shape,
    api_version: str,
    manager: str,
    now: str,
    subresource: str = "",
) -> list[Entry]:
    """The managedFields of `new` after a create, update or patch (not an apply) by `manager`.

    `old` is None for a create. Entries that the client sent are used; `[{}]` clears them, as in kube-apiserver.
    """
    return guarded(lambda: _track(old, new, shape, api_version, manager, now, subresource))


def _track(
    old: Json | None, new: Json, shape: Shape, api_version: str, manager: str, now: str, subresource: str
) -> list[Entry]:
    sent = entries_of(new)
    if sent == [{}]:
        return []
    entries = sent if sent and not subresource else entries_of(old) if old is not None else sent
    if old is not None and not entries:
        return []  # The managers of its fields are unknown until a client applies it.
    before = old if old is not None else shape.empty
    try:
        changed, removed = compare(before, new, shape)
    except PatchError:
        return []  # An item of a list has no key, so its fields have no paths.
    changed = ownable(changed, shape, subresource)
    removed = ownable(removed, shape, subresource)
    if not changed and not removed:
        return entries
    return written(entries, changed, removed, manager=manager, api_version=api_version, now=now, sub=subresource)


def written(
    entries: Iterable[Entry], changed: Tree, removed: Tree, *, manager: str, api_version: str, now: str, sub: str
) -> list[Entry]:
    """The entries after an Update by `manager`, which now alone owns the changed fields."""
    result: list[Entry] = []
    own: Tree = {}
    mine: Entry | None = None
    for entry in entries:
        if same_manager(entry, manager, UPDATE, api_version, sub):
            own, mine = union(own, fields_of(entry)), entry
            continue
        kept = with_fields(entry, difference(without(fields_of(entry), removed), changed))
        if kept is not None:
            result.append(kept)
    own = union(without(own, removed), changed)
    if own:
        same = mine is not None and fields_of(mine) == own
        fresh = new_entry(own, manager=manager, operation=UPDATE, api_version=api_version, now=now, subresource=sub)
        result.append(mine if same and mine is not None else fresh)
    return in_order(_capped(result))


def in_order(entries: list[Entry]) -> list[Entry]:
    """In the order of kube-apiserver: Apply first, then by time and name."""
    fields = ("operation", "time", "manager", "apiVersion", "subresource")
    return sorted(entries, key=lambda e: tuple(str(e.get(f, "")) for f in fields))


def _capped(entries: list[Entry]) -> list[Entry]:
    """At most MAX_UPDATERS Update entries: the oldest of each version are merged."""
    updaters = sorted((e for e in entries if e.get("operation") == UPDATE), key=lambda e: str(e.get("time", "")))
    surplus = updaters[: max(0, len(updaters) - MAX_UPDATERS + 1)] if len(updaters) > MAX_UPDATERS else []
    if not surplus:
        return entries
    merged: dict[str, Entry] = {}
    for entry in surplus:
        version = str(entry.get("apiVersion", ""))
        before = fields_of(merged[version]) if version in merged else {}
        merged[version] = new_entry(
            union(before, fields_of(entry)),
            manager=ANCIENT,
            operation=UPDATE,
            api_version=version,
            now=str(entry.get("time", "")),
            subresource="",
        )
    gone = {id(e) for e in surplus}
    return [e for e in entries if id(e) not in gone] + list(merged.values())
