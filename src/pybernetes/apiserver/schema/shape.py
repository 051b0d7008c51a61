"""The shape of a kind: a lazily grown tree of structs, maps, lists and leaves with the facts that patches need.

Built from the annotations of a msgspec struct, once per struct; patches, strict checks, server-side apply and OpenAPI
walk the same tree. A shape may also be put together by hand, which is how a custom resource's schema takes part.
"""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Annotated, Any, Literal, Union

import msgspec

from pybernetes.api.facts import Atomic, Fact, ListMap, ListSet, Replace, RetainKeys

Form = Literal["struct", "map", "list", "leaf", "any"]

#: Structs that one manager always owns whole: `x-kubernetes-map-type: atomic` on the type itself.
ATOMIC_STRUCTS = frozenset(
    {
        "ConfigMapKeySelector",
        "FileKeySelector",
        "LabelSelector",
        "LocalObjectReference",
        "NodeSelector",
        "NodeSelectorTerm",
        "ObjectFieldSelector",
        "ObjectReference",
        "OwnerReference",
        "ResourceFieldSelector",
        "RoleRef",
        "SecretKeySelector",
        "SecretReference",
        "Subject",
        "TypedLocalObjectReference",
    }
)

#: What a list-map key means where an item leaves it out.
KEY_DEFAULTS: Mapping[str, str] = {"protocol": "TCP"}


@dataclass(eq=False)
class Shape:
    """One place in an object. `fields` is for structs, `item` for maps and lists."""

    form: Form
    type: Any = None
    """the Python type without `Annotated` and `| None`"""
    item: "Shape | None" = None
    keys: tuple[str, ...] = ()
    """list: the fields that tell its items apart (list type map)"""
    is_set: bool = False
    """list: distinct scalars (list type set)"""
    atomic: bool = False
    """owned whole by one manager; also true of lists that say nothing, as in the original"""
    retain_keys: bool = False
    replaced: bool = False
    """struct: a strategic merge patch sets it whole"""
    load: Callable[[], Mapping[str, "Shape"]] | None = field(default=None, repr=False)

    @cached_property
    def fields(self) -> Mapping[str, "Shape"]:
        """The fields by JSON name; empty unless this is a struct."""
        return self.load() if self.load else {}

    def child(self, key: str) -> "Shape | None":
        """The shape of one member of a struct or map; None when unknown."""
        if self.form == "struct":
            return self.fields.get(key)
        return self.item if self.form == "map" else None


LEAF = Shape("leaf")
ANY = Shape("any")


def shape_of(struct: Any) -> Shape:
    """The shape of a kind's struct type; a shape is returned as it is."""
    return struct if isinstance(struct, Shape) else _struct_shape(struct)


@cache
def _struct_shape(struct: Any, retain_keys: bool = False, atomic: bool = False, replaced: bool = False) -> Shape:
    return Shape(
        "struct",
        type=struct,
        atomic=atomic or struct.__name__ in ATOMIC_STRUCTS,
        retain_keys=retain_keys,
        replaced=replaced,
        load=lambda: {f.encode_name: _shape(f.type) for f in msgspec.structs.fields(struct)},
    )


def _strip(hint: Any) -> tuple[Any, tuple[Fact, ...]]:
    """A type hint without `Annotated` and `| None`, and the facts it carried."""
    facts: tuple[Fact, ...] = ()
    if typing.get_origin(hint) is Annotated:
        facts = tuple(f for f in hint.__metadata__ if isinstance(f, Fact))
        hint = hint.__origin__
    if typing.get_origin(hint) in (Union, types.UnionType):
        rest = [a for a in typing.get_args(hint) if a is not type(None)]
        if len(rest) == 1:
            inner, more = _strip(rest[0])
            return inner, facts + more
        hint = Union[tuple(rest)]  # noqa: UP007 - built at run time
    return hint, facts


def _shape(hint: Any) -> Shape:
    hint, facts = _strip(hint)
    origin = typing.get_origin(hint) or hint
    list_map = next((f for f in facts if isinstance(f, ListMap)), None)
    retain = any(isinstance(f, RetainKeys) for f in facts) or bool(list_map and list_map.retain_keys)
    if origin is list:
        args = typing.get_args(hint) or (Any,)
        is_set = any(isinstance(f, ListSet) for f in facts)
        keys = list_map.keys if list_map else ()
        return Shape(
            "list",
            type=hint,
            item=_shape(args[0]),
            keys=keys,
            is_set=is_set,
            atomic=not keys and not is_set,
            retain_keys=retain,
        )
    atomic = any(isinstance(f, Atomic) for f in facts)
    if origin is dict:
        args = typing.get_args(hint) or (str, Any)
        return Shape("map", type=hint, item=_shape(args[1]), atomic=atomic)
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _struct_shape(hint, retain, atomic, any(isinstance(f, Replace) for f in facts))
    return ANY if hint is Any else Shape("leaf", type=hint, atomic=atomic)
