"""Facts about fields that a type cannot express: `Annotated[list[Container], ListMap("name")]`.

`shape.py` gathers them; strategic merge patch, server-side apply, OpenAPI, decoding and protobuf read them there.
Names follow the extensions of OpenAPI: `x-kubernetes-list-type`, `-list-map-keys`, `-map-type`, `-patch-strategy`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, init=False)
class ListMap:
    """A list whose items are identified by `keys`; a strategic merge patch merges items by the first key."""

    keys: tuple[str, ...]
    retain_keys: bool
    """a strategic merge patch may list the keys of an item to retain"""
    patch: bool
    """False: a strategic merge patch replaces the list"""

    def __init__(self, *keys: str, retain_keys: bool = False, patch: bool = True) -> None:
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "retain_keys", retain_keys)
        object.__setattr__(self, "patch", patch)


@dataclass(frozen=True, slots=True)
class ListSet:
    """A list of distinct scalars."""

    patch: bool = False
    """a strategic merge patch adds its items instead of replacing the list"""


@dataclass(frozen=True, slots=True)
class MergeOn:
    """An atomic list whose items a strategic merge patch nevertheless merges by `key`."""

    key: str


@dataclass(frozen=True, slots=True)
class Atomic:
    """A list, map or struct that one field manager owns as a unit."""


@dataclass(frozen=True, slots=True)
class RetainKeys:
    """A struct for which a strategic merge patch may list the keys to retain; the others are removed (a union)."""


@dataclass(frozen=True, slots=True)
class Replace:
    """A struct that a strategic merge patch replaces instead of merging into it."""


@dataclass(frozen=True, slots=True)
class Union:
    """A struct of which only the field that `discriminator` names may be set: field -> value of the discriminator."""

    fields: Mapping[str, str] = field(hash=False)
    discriminator: str = ""


@dataclass(frozen=True, slots=True)
class Immutable:
    """A field that may not change once the object exists."""


@dataclass(frozen=True, slots=True)
class Required:
    """A list, map, struct or time that clients must give. Scalars made by `always` are required without it."""


@dataclass(frozen=True, slots=True)
class Optional:
    """A scalar that is always written and that clients may leave out."""


@dataclass(frozen=True, slots=True)
class Default:
    """The value that an absent field stands for, as OpenAPI publishes it."""

    value: Any


@dataclass(frozen=True, slots=True)
class DateTime:
    """A string that is a point in time (RFC 3339), in whole seconds or with six decimals."""

    micro: bool = False


@dataclass(frozen=True, slots=True)
class Binary:
    """A string that holds bytes in base64."""


@dataclass(frozen=True, slots=True)
class Definition:
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
)
