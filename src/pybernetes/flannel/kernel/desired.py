"""What should be there: plain values, each with the reason it is there. Links go by name, never by index.

This module has the values that several backends use. Those of a single one, such as a VXLAN device, are in its module.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pybernetes.flannel.leases.lease import Lease

T = TypeVar("T")


class Device:
    """Base of the values that stand for a network device of ours."""

    __slots__ = ()

    name: str
    mtu: int
    reason: str


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """An address on a link of ours."""

    link: str
    cidr: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class PeerRoute:
    """A route to a peer's subnet."""

    dst: str
    gateway: str
    """Empty: everything is behind the link itself."""
    link: str
    onlink: bool = False
    reason: str = field(default="", compare=False)
    kind: str = "unicast"
    """`blackhole` has neither gateway nor link; the kernel uses it only if no other route matches."""


@dataclass(frozen=True, slots=True)
class LearnedRoute:
    """A destination whose route a routing daemon installs. A route of ours stays until then."""

    dst: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The MAC behind an address on a link of ours."""

    link: str
    ip: str
    mac: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """The remote address to which a VXLAN device sends frames for a MAC."""

    link: str
    mac: str
    dst: str
    reason: str = field(default="", compare=False)


class Desired:
    """A set of values for each type of value, in the order in which they were given.

    `problems` are sentences about what could not be fulfilled, each naming its cause. Treat as immutable.
    """

    __slots__ = ("_groups", "problems")

    def __init__(self, *objects: object, problems: Iterable[str] = ()) -> None:
        groups: dict[type, dict[object, None]] = {}
        for item in objects:
            groups.setdefault(type(item), {})[item] = None
        self._groups: Mapping[type, tuple[object, ...]] = {kind: tuple(found) for kind, found in groups.items()}
        self.problems = tuple(problems)

    def of(self, kind: type[T]) -> tuple[T, ...]:
        """The values of a type, each once."""
        return self._groups.get(kind, ())  # type: ignore[return-value]  # grouped by type

    def with_only(self, kind: type[T], items: Iterable[T]) -> Desired:
        """The same with these values of a type in place of the present ones."""
        made = tuple(dict.fromkeys(items))
        rest = {other: found for other, found in self._groups.items() if other is not kind}
        return _desired({**rest, kind: made} if made else rest, self.problems)

    def without(self, *kinds: type) -> Desired:
        """The same without values of these types and without problems."""
        return _desired({kind: found for kind, found in self._groups.items() if kind not in kinds}, ())

    @property
    def devices(self) -> tuple[Device, ...]:
        """Network devices of every type."""
        found = [items for kind, items in self._groups.items() if issubclass(kind, Device)]
        return tuple(item for items in found for item in items)  # type: ignore[misc]  # grouped by type

    @property
    def addresses(self) -> tuple[LinkAddress, ...]:
        return self.of(LinkAddress)

    @property
    def routes(self) -> tuple[PeerRoute, ...]:
        return self.of(PeerRoute)

    @property
    def neighbours(self) -> tuple[Neighbour, ...]:
        return self.of(Neighbour)

    @property
    def forwarding(self) -> tuple[Forwarding, ...]:
        return self.of(Forwarding)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Desired):
            return NotImplemented
        return self.problems == other.problems and self._groups == other._groups

    __hash__ = None  # type: ignore[assignment]  # compared, never looked up

    def __repr__(self) -> str:
        objects = [repr(item) for items in self._groups.values() for item in items]
        return f"Desired({', '.join([*objects, f'problems={self.problems}'])})"

    @staticmethod
    def union(parts: Iterable[Desired]) -> Desired:
        """All values of several, in order, each once."""
        groups: dict[type, list[object]] = {}
        problems: list[str] = []
        for part in parts:
            for kind, items in part._groups.items():
                groups.setdefault(kind, []).extend(items)
            problems += part.problems
        return _desired({kind: tuple(dict.fromkeys(found)) for kind, found in groups.items()}, dict.fromkeys(problems))


def _desired(groups: Mapping[type, tuple[object, ...]], problems: Iterable[str]) -> Desired:
    made = Desired(problems=problems)
    made._groups = groups
    return made


merge = Desired.union


def blackhole_own_subnet(own: Lease) -> Desired:
    """Drop packets to this node's subnet while no bridge has it, so that they don't return by the default gateway."""
    reason = "own subnet, while no bridge has it"
    return Desired(*(PeerRoute(str(f.subnet), "", "", kind="blackhole", reason=reason) for f in own.families))
