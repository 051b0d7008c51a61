"""The part of the kernel's state that we may change, with names instead of indexes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pybernetes.flannel.kernel.desired import Forwarding, LinkAddress, Neighbour, PeerRoute
from pybernetes.linux.link import Link

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Observed:
    """What `observe` read; `reconcile.py` says how."""

    links: Mapping[str, Link] = field(default_factory=dict)
    """All links of the namespace, by name."""
    ours: Mapping[str, Link] = field(default_factory=dict)
    """Those that a backend made."""
    objects: Mapping[type, frozenset[object]] = field(default_factory=dict)
    """Everything else, by type of value."""

    @classmethod
    def of_objects(
        cls, objects: Iterable[object], links: Mapping[str, Link] | None = None, ours: Iterable[str] | None = None
    ) -> Observed:
        """Group the objects by type. `ours`: names of our links; None: all of them are."""
        groups: dict[type, list[object]] = {}
        for item in objects:
            groups.setdefault(type(item), []).append(item)
        known = links or {}
        mine = known if ours is None else {name: known[name] for name in ours}
        return cls(known, mine, {kind: frozenset(found) for kind, found in groups.items()})

    def of(self, kind: type[T]) -> frozenset[T]:
        """The objects of a type."""
        return self.objects.get(kind, frozenset())  # type: ignore[return-value]  # grouped by type

    @property
    def addresses(self) -> frozenset[LinkAddress]:
        return self.of(LinkAddress)

    @property
    def routes(self) -> frozenset[PeerRoute]:
        return self.of(PeerRoute)

    @property
    def neighbours(self) -> frozenset[Neighbour]:
        return self.of(Neighbour)

    @property
    def forwarding(self) -> frozenset[Forwarding]:
        return self.of(Forwarding)
