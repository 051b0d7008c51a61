"""What the kernel should look like: plain values, each with the reason it is there. Names, never indexes."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class VxlanLink:
    """A VXLAN device."""

    name: str
    vni: int
    port: int
    local: str
    """Outer source address."""
    underlay: str
    """Name of the interface that carries the outer packets."""
    mtu: int
    mac: str
    learning: bool = False
    gbp: bool = False
    reason: str = field(default="", compare=False)


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
    link: str
    onlink: bool = False
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Which MAC stands behind an address on a link of ours."""

    link: str
    ip: str
    mac: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Which remote address a VXLAN device sends frames for a MAC to."""

    link: str
    mac: str
    dst: str
    reason: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Desired:
    """All of it. `problems` are sentences about what could not be fulfilled, each naming its cause."""

    links: tuple[VxlanLink, ...] = ()
    addresses: tuple[LinkAddress, ...] = ()
    routes: tuple[PeerRoute, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    forwarding: tuple[Forwarding, ...] = ()
    problems: tuple[str, ...] = ()


def merge(parts: Iterable[Desired]) -> Desired:
    """The union of several, in order, each object once."""
    items = list(parts)
    return Desired(
        links=_union(p.links for p in items),
        addresses=_union(p.addresses for p in items),
        routes=_union(p.routes for p in items),
        neighbours=_union(p.neighbours for p in items),
        forwarding=_union(p.forwarding for p in items),
        problems=_union(p.problems for p in items),
    )


def _union(groups: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(item for group in groups for item in group))
