"""Facts about fields that a type can't say, written beside the type: `Annotated[list[Container], ListMap("name")]`.

Strategic merge patch, server-side apply, OpenAPI and validation all read them here, so that they cannot disagree.
Names follow OpenAPI's `x-kubernetes-list-type`, `x-kubernetes-list-map-keys` and `x-kubernetes-patch-strategy`.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, init=False)
class ListMap:
    """A list whose items are told apart by `keys`. Strategic merge uses the first key alone, as the original does."""

    keys: tuple[str, ...]
    retain_keys: bool

    def __init__(self, *keys: str, retain_keys: bool = False) -> None:
        object.__setattr__(self, "keys", keys)
        object.__setattr__(self, "retain_keys", retain_keys)


@dataclass(frozen=True, slots=True)
class ListSet:
    """A list of distinct scalars; patches merge it item by item."""


@dataclass(frozen=True, slots=True)
class Atomic:
    """A list, map or struct that one field manager owns whole."""


@dataclass(frozen=True, slots=True)
class RetainKeys:
    """A struct of which a strategic merge patch may name the keys to retain; all others go (a union)."""


@dataclass(frozen=True, slots=True)
class Replace:
    """A struct that a strategic merge patch does not merge: what it holds takes the place of all there was."""


@dataclass(frozen=True, slots=True)
class Immutable:
    """A field that may not change once the object exists."""


@dataclass(frozen=True, slots=True)
class DateTime:
    """A string that is a point in time (RFC 3339), in whole seconds or with six decimals."""

    micro: bool = False


@dataclass(frozen=True, slots=True)
class Default:
    """The value that an absent field stands for, as OpenAPI publishes it."""

    value: Any


Fact = ListMap | ListSet | Atomic | RetainKeys | Replace | Immutable | DateTime | Default
