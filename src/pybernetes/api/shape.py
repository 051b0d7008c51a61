"""What is known about an object's fields: their types, and the facts that a type alone cannot express.

A `Shape` is a lazily built tree of structs, maps, lists and scalars. It is built once from a struct and its `Annotated`
facts (`shape_of`), or from the structural OpenAPI schema of a custom resource (openapi_shape.py). Patches, server-side
apply, strict decoding, canonicalization, OpenAPI and protobuf all read it, so that they cannot disagree.
"""

import builtins
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache, cached_property
from typing import Annotated, Any, Literal, TypeVar, Union

import msgspec

from pybernetes.api import facts
from pybernetes.api.facts import Fact
from pybernetes.api.meta import Object

Scalar = Literal[
    "string", "bytes", "time", "micro-time", "int32", "int64", "float64", "bool", "quantity", "int-or-string", "raw"
]
Form = Literal["struct", "map", "list", "any"] | Scalar
"""`raw` is embedded JSON of any type; `any` is a place of which the schema says nothing."""

Json = Any
"""None, bool, int, float, str, list of Json, or dict from str to Json"""


class Shape(msgspec.Struct, frozen=True, eq=False, kw_only=True, dict=True):
    """One place in an object: its type, and the facts about it."""

    form: Form
    type: builtins.type[msgspec.Struct] | None = None
    """struct: the Python type; None for a custom resource's"""
    item: "Shape | None" = None
    """map, list: the shape of every value"""
    keys: tuple[str, ...] = ()
    """list: the fields that identify an item (list type map)"""
    is_set: bool = False
    """list: distinct scalars (list type set)"""
    atomic: bool = False
    """one manager owns the value as a unit; also true of lists that are neither maps nor sets"""
    merge_key: str | None = None
    """list: a strategic merge patch merges its items by this field; "" when the items are scalars; None: replaces it"""
    retain_keys: bool = False
    """a strategic merge patch may list the keys to retain"""
    replaced: bool = False
    """struct: a strategic merge patch replaces it instead of merging into it"""
    union: facts.Union | None = None
    """struct: only one of its fields may be set"""
    definition: str = ""
    """the OpenAPI definition of the value, where it is not the one of its type"""
    go_type: str = ""
    """the name of its type in Go, where errors name it and it is not the one of the Python type"""
    nullable: bool = False
    """null is a value; elsewhere it means an absent field"""
    preserve_unknown: bool = False
    """struct: fields that the schema does not name are kept"""
    load: Callable[[], "Mapping[str, Field]"] | None = None
    """struct: makes `fields`, when they are first needed"""

    @cached_property
    def fields(self) -> "Mapping[str, Field]":
        """The fields by JSON name; empty unless this is a struct."""
        return self.load() if self.load else {}

    @cached_property
    def key_defaults(self) -> Mapping[str, Json]:
        """list: what a key field means where an item omits it, for those keys that have a default."""
        found = self.item.fields if self.item is not None else {}
        return {key: found[key].default for key in self.keys if key in found and found[key].default is not None}

    def child(self, key: str) -> "Shape | None":
        """The shape of one member of a struct or map; None when the struct has no such field."""
        if self.form == "struct":
            known = self.fields.get(key)
            if known is not None:
                return known.shape
            return UNTYPED if self.preserve_unknown else None
        return self.item if self.form == "map" else self if self is UNTYPED else None

    @property
    def is_compound(self) -> bool:
        """Whether this is a struct, a map or a list."""
        return self.form in ("struct", "map", "list")

    @property
    def name(self) -> str:
        """struct: the name of its type, such as `PodSpec`."""
        return self.type.__name__ if self.type is not None else ""

    @cached_property
    def empty(self) -> Json:
        """struct: the JSON of an object of which no field is set, with the fields that Go never omits: structs that are
        not pointers, and required lists and maps.
        """
        return _empty(self)


def _empty(shape: Shape) -> Json:
    if shape.type is None:
        return {}
    found = msgspec.to_builtins(shape.type())
    for name, part in shape.fields.items():
        form = part.shape.form
        if form == "struct" and (part.always or part.required):
            found[name] = part.shape.empty
        elif part.required and form in ("list", "map"):
            found[name] = [] if form == "list" else {}
    return found


class Field(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """A field of a struct."""

    shape: Shape
    attribute: str = ""
    """its name in Python; empty for a custom resource's"""
    embedded_in: str = ""
    """the base struct that declares it, which Go embeds and names in error texts; empty for the struct's own fields"""
    required: bool = False
    always: bool = False
    """written to JSON even when it is empty"""
    immutable: bool = False
    default: Json = None
    """the value that stands for an absent field; None when there is no default"""


ANY = Shape(form="any", atomic=True)
"""A place of which nothing is known, owned as a unit."""

UNTYPED = Shape(form="any")
"""Any JSON; the members of its maps may have different owners, as kube-apiserver deduces from a value."""


def shape_of(struct: type[msgspec.Struct]) -> Shape:
    """The shape of a struct type."""
    return _struct_shape(struct)


@cache
def _struct_shape(
    struct: type[msgspec.Struct], atomic: bool = False, retain_keys: bool = False, replaced: bool = False
) -> Shape:
    about: tuple[Fact, ...] = vars(struct).get("type_facts", ())  # not those of a base
    return Shape(
        form="struct",
        type=struct,
        atomic=atomic or _has(facts.Atomic, about),
        retain_keys=retain_keys,
        replaced=replaced,
        union=_first(facts.Union, about),
        load=lambda: {f.encode_name: _field(f, struct) for f in msgspec.structs.fields(struct)},
    )


def _field(info: msgspec.structs.FieldInfo, struct: type[msgspec.Struct]) -> Field:
    _, about = _strip(info.type)
    shape = _hint_shape(info.type)
    factory = info.default_factory
    always = factory is not msgspec.NODEFAULT and factory not in (list, dict)
    implied = always and not shape.is_compound and not _has(facts.Optional, about)
    default = _first(facts.Default, about)
    return Field(
        shape=shape,
        attribute=info.name,
        embedded_in=_declared_in(info.name, struct),
        required=implied or _has(facts.Required, about),
        always=always,
        immutable=_has(facts.Immutable, about),
        default=default.value if default is not None else None,
    )


def _declared_in(attribute: str, struct: type[msgspec.Struct]) -> str:
    """The base of a struct that declares an attribute; "" for its own and for those that all kinds share."""
    owner = next(base for base in struct.__mro__ if attribute in vars(base).get("__annotations__", {}))
    return "" if owner in (struct, Object) else owner.__name__


_Facts = tuple[Fact | msgspec.Meta, ...]
_FACTS = (*typing.get_args(Fact), msgspec.Meta)
_F = TypeVar("_F", bound=Fact)


def _first(sort: type[_F], about: _Facts) -> _F | None:
    """The fact of one type among those of a field."""
    return next((fact for fact in about if isinstance(fact, sort)), None)


def _has(sort: type[Fact], about: _Facts) -> bool:
    return _first(sort, about) is not None


def _strip(hint: Any) -> tuple[Any, _Facts]:
    """A type hint without `Annotated` and `| None`, and the facts it carried."""
    about: _Facts = ()
    if typing.get_origin(hint) is Annotated:
        about = tuple(f for f in hint.__metadata__ if isinstance(f, _FACTS))
        hint = hint.__origin__
    if typing.get_origin(hint) in (Union, types.UnionType):
        rest = [a for a in typing.get_args(hint) if a is not type(None)]
        if len(rest) == 1:
            inner, more = _strip(rest[0])
            return inner, about + more
        hint = Union[tuple(rest)]  # noqa: UP007 - built at run time
    return hint, about


@cache
def _hint_shape(hint: Any) -> Shape:
    hint, about = _strip(hint)
    origin = typing.get_origin(hint) or hint
    if origin is list:
        return _list_shape(typing.get_args(hint)[0], about)
    atomic = _has(facts.Atomic, about)
    if origin is dict:
        return Shape(form="map", item=_hint_shape(typing.get_args(hint)[1]), atomic=atomic, go_type=_go_type(about))
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return _struct_shape(hint, atomic, _has(facts.RetainKeys, about), _has(facts.Replace, about))
    if hint is Any:
        return ANY
    named = _first(facts.Definition, about)
    return Shape(
        form=_scalar(hint, about),
        atomic=atomic,
        definition=named.name if named is not None else "",
        go_type=_go_type(about),
    )


def _go_type(about: _Facts) -> str:
    named = _first(facts.GoType, about)
    return named.name if named is not None else ""


def _list_shape(item: Any, about: _Facts) -> Shape:
    as_map, as_set = _first(facts.ListMap, about), _first(facts.ListSet, about)
    merge_on = _first(facts.MergeOn, about)
    merge_key = None
    if as_map is not None and as_map.patch:
        merge_key = as_map.keys[0]
    elif merge_on is not None:
        merge_key = merge_on.key
    elif as_set is not None and as_set.patch:
        merge_key = ""
    return Shape(
        form="list",
        item=_hint_shape(item),
        keys=as_map.keys if as_map is not None else (),
        is_set=as_set is not None,
        atomic=as_map is None and as_set is None,
        merge_key=merge_key,
        retain_keys=as_map is not None and as_map.retain_keys,
        go_type=_go_type(about),
    )


_PLAIN: Mapping[Any, Scalar] = {str: "string", bool: "bool", float: "float64", msgspec.Raw: "raw"}
_UNIONS: Mapping[frozenset[type], Scalar] = {
    frozenset((int, str)): "int-or-string",
    frozenset((int, str, float)): "quantity",
}


def _scalar(hint: Any, about: _Facts) -> Scalar:
    if hint is int:
        wide = any(isinstance(f, msgspec.Meta) and f.le is not None and f.le > 2**31 for f in about)
        return "int64" if wide else "int32"
    moment = _first(facts.DateTime, about)
    if moment is not None:
        return "micro-time" if moment.micro else "time"
    if _has(facts.Binary, about):
        return "bytes"
    known = _PLAIN.get(hint)
    return known if known is not None else _UNIONS[frozenset(typing.get_args(hint))]
