"""Sets of fields in the format of managedFields (FieldsV1), and their computation from objects.

A set is a tree of maps. The keys are path elements: `f:name` a field, `k:{"name":"a"}` an item of a list with keys,
`v:"x"` an element of a set. A node is a member of the set when it is empty or has the key "."; otherwise it only
contains members.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from pybernetes.api.shape import ANY, Shape
from pybernetes.apiserver.patch.errors import PatchError
from pybernetes.apiserver.patch.values import Json

Tree = dict[str, Any]
SELF = "."

_encode = msgspec.json.Encoder(order="sorted").encode


def is_member(node: Tree) -> bool:
    """Whether the node itself is a member of the set."""
    return not node or SELF in node


def _node(member: bool, children: Tree) -> Tree | None:
    """A node in normal form; None if it is empty."""
    if not children:
        return {} if member else None
    return {SELF: {}, **children} if member else children


def _children(node: Tree) -> Iterator[tuple[str, Tree]]:
    return ((key, child) for key, child in node.items() if key != SELF)


def union(a: Tree, b: Tree) -> Tree:
    """Members of either. The roots are not members."""
    children = dict(_children(a))
    for key, theirs in _children(b):
        ours = children.get(key)
        if ours is None:
            children[key] = theirs
            continue
        member = is_member(ours) or is_member(theirs)
        children[key] = _node(member, union(ours, theirs)) or {}
    return children


def difference(a: Tree, b: Tree) -> Tree:
    """Members of `a` that are not members of `b`."""
    children: Tree = {}
    for key, ours in _children(a):
        theirs = b.get(key)
        if theirs is None:
            children[key] = ours
            continue
        left = _node(is_member(ours) and not is_member(theirs), difference(ours, theirs))
        if left is not None:
            children[key] = left
    return children


def without(a: Tree, b: Tree) -> Tree:
    """Members of `a` that are not at or below a leaf of `b`: removing a value removes its members."""
    children: Tree = {}
    for key, ours in _children(a):
        theirs = b.get(key)
        if theirs is None:
            children[key] = ours
        elif theirs:
            left = _node(is_member(ours), without(ours, theirs))
            if left is not None:
                children[key] = left
    return children


def intersection(a: Tree, b: Tree) -> Tree:
    """Members of both."""
    children: Tree = {}
    for key, ours in _children(a):
        theirs = b.get(key)
        if theirs is not None:
            both = _node(is_member(ours) and is_member(theirs), intersection(ours, theirs))
            if both is not None:
                children[key] = both
    return children


def paths(tree: Tree, prefix: str = "") -> Iterator[str]:
    """The paths of the members: `.spec.containers[name="a"].image`."""
    for key, child in sorted(_children(tree)):
        path = prefix + _element_text(key)
        if is_member(child):
            yield path
        yield from paths(child, path)


def _element_text(element: str) -> str:
    sort, _, rest = element.partition(":")
    if sort == "k":
        keys: dict[str, Json] = msgspec.json.decode(rest)
        return "[" + ",".join(f"{k}={msgspec.json.encode(v).decode()}" for k, v in keys.items()) + "]"
    if sort == "v":
        return f"[={rest}]"
    return f"[{rest}]" if sort == "i" else f".{rest}"


def element_of(item: Json, shape: Shape, path: str = "") -> str:
    """The path element of an item of a list with keys, or of a set. Raises PatchError for an item without keys."""
    if not shape.keys:
        return f"v:{_encode(item).decode()}"
    if not isinstance(item, dict):
        raise PatchError(f"{path}: associative list with keys may not have non-map elements")
    keys = {}
    for key in shape.keys:
        value = item.get(key, shape.key_defaults.get(key))
        if value is None:
            problem = f'associative list with keys has an element that omits key field "{key}"'
            raise PatchError(f"{path}: {problem} (and doesn't have default value)")
        keys[key] = value
    return f"k:{_encode(keys).decode()}"


def items_of(value: list[Json], shape: Shape, path: str = "", *, strict: bool = False) -> dict[str, Json]:
    """The items of a list by path element. `strict`: raise PatchError for duplicates and items without keys."""
    found: dict[str, Json] = {}
    for index, item in enumerate(value):
        try:
            element = element_of(item, shape, f"{path}: element {index}")
        except PatchError:
            if strict:
                raise
            continue
        if strict and element in found:
            raise PatchError(f"{path}: duplicate entries for key {_element_text(element)}")
        found[element] = item
    return found


class _Repeated(tuple[Json, ...]):
    """The items of a list that have the same keys. They have one owner, as a unit."""


def _tracked(value: list[Json], shape: Shape) -> dict[str, Json]:
    """The items of a list by path element, for managedFields. Raises PatchError for an item without keys."""
    found: dict[str, Json] = {}
    for item in value:
        element = element_of(item, shape)
        if element in found:
            others = found[element] if isinstance(found[element], _Repeated) else (found[element],)
            item = _Repeated((*others, item))
        found[element] = item
    return found


def is_granular(value: Json, shape: Shape) -> bool:
    """Whether parts of this value may have different owners."""
    if shape.atomic:
        return False
    if isinstance(value, dict):
        return shape.form in ("struct", "map", "any")
    return isinstance(value, list) and shape.form == "list"


def members(value: Json, shape: Shape, path: str = "") -> Tree:
    """The set of an applied configuration (one level below the value). Raises PatchError for unknown fields."""
    tree: Tree = {}
    if isinstance(value, dict):
        for key, child in value.items():
            known = shape.child(key)
            where = f"{path}.{key}"
            if known is None and shape.form == "struct":
                raise PatchError(f"{where}: field not declared in schema")
            granular = is_granular(child, known or ANY)
            below = members(child, known or ANY, where) if granular else {}
            node = _node(not granular or child == {} or shape.form != "struct", below)
            if node is not None:
                tree[f"f:{key}"] = node
    elif isinstance(value, list):
        item_shape = shape.item or ANY
        for element, item in items_of(value, shape, path, strict=True).items():
            where = path + _element_text(element)
            below = members(item, item_shape, where) if is_granular(item, item_shape) else {}
            tree[element] = {SELF: {}, **below} if below else {}
    return tree


def added(value: Json, shape: Shape) -> Tree:
    """The node of a new value: the value and all its members. Raises PatchError for an item without keys."""
    if not is_granular(value, shape):
        return {}
    below: Tree = {}
    # Every create comes through here, and most values are scalars: a fast path for them.
    if isinstance(value, dict):
        for key, child in value.items():
            parted = isinstance(child, (dict, list))
            below[f"f:{key}"] = added(child, shape.child(key) or ANY) if parted else {}
    else:
        below = {e: added(v, shape.item or ANY) for e, v in _tracked(value, shape).items()}
    return {SELF: {}, **below} if below else {}


def compare(old: Json, new: Json, shape: Shape) -> tuple[Tree, Tree]:
    """(changed or added, removed) fields between two granular values of the same form."""
    is_map = isinstance(old, dict) and isinstance(new, dict)
    before, after = (old, new) if is_map else (_tracked(old, shape), _tracked(new, shape))
    prefix = "f:" if is_map else ""
    changed: Tree = {}
    removed: Tree = {prefix + key: {} for key in before if key not in after}
    for key, value in after.items():
        if key not in before:
            changed[prefix + key] = added(value, _inner(shape, key, is_map))
            continue
        was = before[key]
        if was == value:
            continue
        inner = _inner(shape, key, is_map)
        if type(was) is type(value) and is_granular(value, inner):
            more, less = compare(was, value, inner)
            if more:
                changed[prefix + key] = more
            if less:
                removed[prefix + key] = less
        else:
            changed[prefix + key] = {}
    return changed, removed


def _inner(shape: Shape, key: str, is_map: bool) -> Shape:
    return (shape.child(key) if is_map else shape.item) or ANY
