"""How the objects of a kind are read, written, made and compared.

The API server, the client and the controllers reach a kind's objects through `Kind.schema` only. A built-in kind has a
`StructSchema`, which stands on a msgspec struct. A custom resource has a `StructuralSchema` (structural.py), which
stands on an OpenAPI schema. Both keep spec and status apart by the same rules, which are written here once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from pybernetes.api import codec
from pybernetes.api.field import Errors
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.api.shape import Shape, shape_of

K = TypeVar("K", bound=Object)
Body = bytes | bytearray | memoryview | msgspec.Raw

#: Fields of every object that no endpoint's rules are about.
COMMON = frozenset({"api_version", "kind", "metadata"})
STATUS = "status"

encode = msgspec.json.Encoder().encode


class Schema(Protocol[K]):
    """What is known of the objects of a kind. Nothing outside a schema depends on how it knows it."""

    @property
    def type(self) -> type[K]:
        """The Python class of the objects."""

    @property
    def strategic_merge(self) -> bool:
        """Whether clients may send strategic merge patches."""

    @property
    def openapi(self) -> Mapping[str, Any] | None:
        """The OpenAPI v3 schema that the kind came with; None: it is made from the shape."""

    @property
    def shape(self) -> Shape:
        """What is known of the fields: for patches, field managers, strict decoding and OpenAPI."""

    def decode(self, data: Body) -> K:
        """An object from a client's JSON, with its types checked. Raises codec.DecodeError."""

    def load(self, data: Body) -> K:
        """An object from JSON that this schema has encoded."""

    def encode(self, obj: K) -> bytes:
        """The JSON of an object."""

    def plain(self, obj: K) -> dict[str, Any]:
        """The object as plain JSON values, which the caller may change."""

    def new(self, api_version: str, kind: str, metadata: ObjectMeta) -> K:
        """An object with nothing but metadata."""

    def copy(self, obj: K) -> K:
        """A deep copy."""

    def default(self, obj: K) -> None:
        """Fill in defaults, in place."""

    def prune(self, obj: K) -> None:
        """Drop the fields that the schema does not know, in place."""

    def validate(self, obj: K, errors: Errors) -> None:
        """Check an object by itself; transitions are the concern of `Kind.validate_update`."""

    def clear_status(self, obj: K) -> None:
        """Drop the status, in place."""

    def keep_status(self, new: K, old: K) -> None:
        """Restore the status of `old` in `new`: for a write to the object."""

    def keep_all_but_status(self, new: K, old: K) -> None:
        """Restore everything but the status: for a write to the status. Labels and annotations may change with it."""

    def spec_changed(self, new: K, old: K) -> bool:
        """Whether anything but metadata and status differs: what metadata.generation counts."""


def _nothing(*_: Any) -> None:
    """The default of every hook."""


class StructSchema(Generic[K]):
    """The schema of a kind that has a struct. `default` and `validate` get an object of their own."""

    strategic_merge = True
    openapi: Mapping[str, Any] | None = None

    def __init__(
        self,
        struct: type[K],
        *,
        default: Callable[[K], None] = _nothing,
        validate: Callable[[K, Errors], None] = _nothing,
    ) -> None:
        self.type = struct
        self.default = default
        self.validate = validate
        self.encode: Callable[[K], bytes] = encode
        self._fields = tuple(name for name in struct.__struct_fields__ if name not in COMMON)
        self._has_status = STATUS in self._fields

    @property
    def shape(self) -> Shape:
        """Built from the struct's annotations."""
        return shape_of(self.type)

    @cached_property
    def load(self) -> Callable[[Body], K]:
        """The decoder of stored objects, made on first use."""
        load: Callable[[Body], K] = msgspec.json.Decoder(self.type).decode
        return load

    def decode(self, data: Body) -> K:
        """Times are brought to UTC and quantities to their canonical form."""
        return codec.decode(data, self.type)

    def plain(self, obj: K) -> dict[str, Any]:
        """Embedded raw JSON is decoded, too."""
        values: dict[str, Any] = msgspec.to_builtins(obj, enc_hook=msgspec.json.decode)
        return values

    def new(self, api_version: str, kind: str, metadata: ObjectMeta) -> K:
        """Fields that are always written have their empty values."""
        return self.type(api_version=api_version, kind=kind, metadata=metadata)

    def copy(self, obj: K) -> K:
        """By way of JSON, which is faster than `copy.deepcopy`."""
        return self.load(self.encode(obj))

    def prune(self, obj: K) -> None:
        """Decoding has dropped unknown fields already."""

    def clear_status(self, obj: K) -> None:
        """The empty status."""
        if self._has_status:
            setattr(obj, STATUS, getattr(self.type(), STATUS))

    def keep_status(self, new: K, old: K) -> None:
        """Kinds without a status have nothing to restore."""
        if self._has_status:
            setattr(new, STATUS, getattr(old, STATUS))

    def keep_all_but_status(self, new: K, old: K) -> None:
        """Owners and finalizers are not part of the status either."""
        for name in self._fields:
            if name != STATUS:
                setattr(new, name, getattr(old, name))
        keep_ownership(new, old)

    def spec_changed(self, new: K, old: K) -> bool:
        """Compares every field by value."""
        return any(getattr(new, name) != getattr(old, name) for name in self._fields if name != STATUS)


def keep_ownership(new: Object, old: Object) -> None:
    """Restore what a write to the status may not change in metadata."""
    new.metadata.owner_references = old.metadata.owner_references
    new.metadata.finalizers = old.metadata.finalizers
