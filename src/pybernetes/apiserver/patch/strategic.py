"""Strategic merge patch: a merge patch that merges lists, by the keys that the shape defines.

Lists whose shape has a `merge_key` merge item by item ("": new scalars are added); other lists, and structs that are
`replaced`, are replaced. Directives in the patch control the rest:

- `$patch: replace | delete | merge` in a map, or in an item of a merging list;
- `$retainKeys: [..]` keeps only these keys of a map (unions such as a deployment's strategy);
- `$deleteFromPrimitiveList/<list>: [..]` removes scalars from a list;
- `$setElementOrder/<list>: [..]` gives the order of the merged list.

Fields that the shape does not know merge as in RFC 7386.
"""

from typing import Any

from pybernetes.api.shape import ANY, Shape
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.order import arrange, check_order, identity
from pybernetes.apiserver.patch.values import Json, clone, guarded, scalar_key

DIRECTIVE = "$patch"
RETAIN_KEYS = "$retainKeys"
DELETE_FROM = "$deleteFromPrimitiveList/"
SET_ORDER = "$setElementOrder/"

Map = dict[str, Any]


def apply(doc: Json, patch: Json, shape: Shape) -> Json:
    """The patched document; `shape` is that of its kind."""
    if not isinstance(patch, dict):
        raise PatchError("a strategic merge patch must be a JSON object")
    current = doc if isinstance(doc, dict) else {}
    return guarded(lambda: _merge_map(current, patch, shape))


def _is_directive(key: str) -> bool:
    return key in (DIRECTIVE, RETAIN_KEYS) or key.startswith((DELETE_FROM, SET_ORDER))


def _plain(value: Json) -> Json:
    """A value of the patch as it is added to the document: without nulls in maps, and without directives."""
    if isinstance(value, dict):
        if value.get(DIRECTIVE) == "delete":
            return {}
        return {k: _plain(v) for k, v in value.items() if v is not None and not _is_directive(k)}
    if isinstance(value, list):
        items = [v for v in value if not (isinstance(v, dict) and _is_marker(v))]
        return [_plain(v) for v in items]
    return value


def _is_marker(item: Map) -> bool:
    """A list item that only carries a directive for the list."""
    return item.get(DIRECTIVE) in ("delete", "replace") and DIRECTIVE in item


def _merge_map(current: Map, patch: Map, shape: Shape) -> Map:
    directive = patch.get(DIRECTIVE)
    if directive == "replace":
        return {k: _plain(v) for k, v in patch.items() if v is not None and not _is_directive(k)}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise PatchError(f"Unknown patch type: {directive} in map: {clone(patch)}")
    result = _retained(current, patch)
    orders = {k.removeprefix(SET_ORDER): v for k, v in patch.items() if k.startswith(SET_ORDER)}
    for key, value in patch.items():
        if key.startswith(DELETE_FROM):
            _delete_from(result, key.removeprefix(DELETE_FROM), value)
        elif _is_directive(key):
            continue
        elif value is None:
            result.pop(key, None)
        else:
            result[key] = _merge_value(key, result.get(key), value, shape.child(key) or ANY, orders.get(key))
    for key, order in orders.items():
        _set_order(result, current, key, order, shape.child(key) or ANY)
    return {k: clone(v) if k not in patch else v for k, v in result.items()}


def _retained(current: Map, patch: Map) -> Map:
    """A shallow copy of the current map after `$retainKeys`."""
    if RETAIN_KEYS not in patch:
        return dict(current)
    keys = patch[RETAIN_KEYS]
    if not isinstance(keys, list):
        raise PatchError("invalid patch format of retainKeys: it must be a list of keys")
    listed = {scalar_key(k) for k in keys}
    for key, value in patch.items():
        if value is not None and not _is_directive(key) and scalar_key(key) not in listed:
            raise PatchError(f"invalid patch format of retainKeys: {key} is set but not among the keys to retain")
    return {k: v for k, v in current.items() if scalar_key(k) in listed}


def _delete_from(result: Map, key: str, values: Json) -> None:
    if not isinstance(values, list):
        raise PatchError("invalid patch format of primitive list: $deleteFromPrimitiveList takes a list")
    current = result.get(key)
    if isinstance(current, list):
        gone = {scalar_key(v) for v in values}
        result[key] = [clone(v) for v in current if isinstance(v, (dict, list)) or scalar_key(v) not in gone]


def _merge_value(key: str, current: Json, value: Json, shape: Shape, order: Json) -> Json:
    """One member of a map: `current` is None when there is none."""
    if isinstance(value, dict) and isinstance(current, dict) and not shape.replaced:
        return _merge_map(current, value, shape)
    if isinstance(value, list) and shape.merge_key is not None:
        if order is not None:
            check_order(value, order, shape.merge_key, key)
        if isinstance(current, list):
            return _merge_list(key, current, value, shape)
    return _plain(value)


def _merge_list(name: str, current: list[Json], patch: list[Json], shape: Shape) -> list[Json]:
    if any(isinstance(v, list) for v in patch):
        raise PatchError("lists of lists are not supported", 422)
    if shape.merge_key:
        return _merge_maps(name, current, patch, shape)
    merged = {scalar_key(v): v for v in [*current, *patch]}
    return arrange(list(merged.values()), patch, current, "")


def _merge_maps(name: str, current: list[Json], patch: list[Json], shape: Shape) -> list[Json]:
    """Merge a list of maps by the merge key; items of the patch keep its order."""
    key, item_shape = shape.merge_key or "", shape.item or ANY
    if not all(isinstance(v, dict) for v in patch):
        raise PatchError(f"invalid patch of {name}: its items must be maps", 422)
    if any(v.get(DIRECTIVE) == "replace" for v in patch):
        return [_plain(v) for v in patch if v.get(DIRECTIVE) != "replace" or len(v) > 1]
    kept = list(current)
    marks = [identity(v, key, name) for v in kept]
    normal = [v for v in patch if not _deletes(v, name)]
    gone = {identity(v, key, name) for v in patch if _deletes(v, name)}
    if gone:
        kept = [v for v, mark in zip(kept, marks, strict=True) if mark not in gone]
        marks = [mark for mark in marks if mark not in gone]
    # The first item with a key is merged; a Service may have port 53 twice, for TCP and for UDP.
    first = {mark: n for n, mark in reversed(list(enumerate(marks)))}
    for item in normal:
        at = first.setdefault(identity(item, key, name), len(kept))
        if at == len(kept):
            kept.append(_plain(item))
        else:
            kept[at] = _merge_map(kept[at], item, item_shape)
    return arrange([clone(v) for v in kept], normal, current, key)


def _deletes(item: Map, name: str) -> bool:
    """Whether a list item deletes the item with the same key."""
    directive = item.get(DIRECTIVE)
    if directive not in (None, "merge", "delete"):
        raise PatchError(f"Unknown patch type: {directive} in a list item of {name}")
    return bool(directive == "delete")


def _set_order(result: Map, current: Map, key: str, order: Json, shape: Shape) -> None:
    if not isinstance(order, list):
        raise PatchError("invalid patch format of setElementOrder list: it must be a list")
    merged = result.get(key)
    if not isinstance(merged, list):
        return
    before = current.get(key)
    result[key] = arrange(merged, order, before if isinstance(before, list) else [], shape.merge_key or "")
