"""Facts about fields that a type cannot express: `Annotated[list[Container], ListMap("name")]`.

`shape.py` gathers them; strategic merge patch, server-side apply, OpenAPI, decoding and protobuf read them there.
Names follow the extensions of OpenAPI: `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`, `-patch-strategy`.

Every process imports this module: msgspec makes such classes ten times as fast as dataclasses does.
"""

from collections.abc import Mapping
from typing import Any

import msgspec


class ListMap:
    """A list whose items are identified by `keys`; a strategic merge patch merges items by the first key.

    `retain_keys`: a strategic merge patch may list the keys of an item to retain. `patch=False`: it replaces the list.
    """

    __slots__ = ("keys", "patch", "retain_keys")

    def __init__(self, *keys: str, retain_keys: bool = False, patch: bool = True) -> None:
        self.keys = keys
        self.retain_keys = retain_keys
        self.patch = patch


class ListSet(msgspec.Struct, frozen=True):
    """A list of distinct scalars."""

    patch: bool = False
    """a strategic merge patch adds its items instead of replacing the list"""


class MergeOn(msgspec.Struct, frozen=True):
    """An atomic list whose items a strategic merge patch nevertheless merges by `key`."""

    key: str


class Atomic(msgspec.Struct, frozen=True):
    """A list, map or struct that one field manager owns as a unit."""


class RetainKeys(msgspec.Struct, frozen=True):
    """A struct for which a strategic merge patch may list the keys to retain; the others are removed (a union)."""


class Replace(msgspec.Struct, frozen=True):
    """A struct that a strategic merge patch replaces instead of merging into it."""


class Union(msgspec.Struct, frozen=True):
    """A struct of which only the field that `discriminator` names may be set: field -> value of the discriminator."""

    fields: Mapping[str, str]
    discriminator: str = ""


class Immutable(msgspec.Struct, frozen=True):
    """A field that may not change once the object exists."""


class Required(msgspec.Struct, frozen=True):
    """A list, map, struct or time that clients must give. Scalars made by `always` are required without it."""


class Optional(msgspec.Struct, frozen=True):
    """A scalar that is always written and that clients may leave out."""


class Default(msgspec.Struct, frozen=True):
    """The value that an absent field stands for, as OpenAPI publishes it."""

    value: Any


class DateTime(msgspec.Struct, frozen=True):
    """A string that is a point in time (RFC 3339), in whole seconds or with six decimals."""

    micro: bool = False


class Binary(msgspec.Struct, frozen=True):
    """A string that holds bytes in base64."""


class GoType(msgspec.Struct, frozen=True):
    """The name of the type in Go, which errors of the decoder name, where it is not the one of the Python type."""

    name: str


class Definition(msgspec.Struct, frozen=True):
    """The name of the OpenAPI definition that describes the value, where it is not the one of its type."""

    name: str


Fact = (
    ListMap
    | ListSet
    | MergeOn
    | Atomic
    | RetainKeys
    | Replace
    | Union
    | Immutable
    | Required
    | Optional
    | Default
    | DateTime
    | Binary
    | Definition
    | GoType
)
