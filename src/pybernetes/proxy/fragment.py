"""Rules as data: what one virtual server needs in the kernel, and how two such states differ.

A ruleset is the sum of fragments. An update names the fragments that changed; its cost depends on them alone, not on
how many there are.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.proxy.rules import Rule

Element = tuple[str, str, str]
"""(map or set, key, value); the value is empty in a set."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """A part of the ruleset."""

    chains: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """rules by chain"""
    sets: Mapping[str, int] = field(default_factory=dict)
    """Sets of clients, and for how many seconds each client stays."""
    elements: frozenset[Element] = frozenset()
    """Entries of shared maps; several fragments may need the same one."""


EMPTY = Fragment()


@dataclass(slots=True)
class Delta:
    """What to change, in an order that never refers to something missing."""

    remove_elements: list[Element] = field(default_factory=list)
    add_sets: dict[str, int] = field(default_factory=dict)
    write_chains: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    """Chains that are new or whose rules differ."""
    new_chains: set[str] = field(default_factory=set)
    """Those that are not there yet; the others are to be emptied first."""
    add_elements: list[Element] = field(default_factory=list)
    remove_chains: list[str] = field(default_factory=list)
    remove_sets: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.remove_elements
            or self.add_sets
            or self.write_chains
            or self.add_elements
            or self.remove_chains
            or self.remove_sets
        )


class Ruleset:
    """All fragments, by the key of their virtual server."""

    def __init__(self) -> None:
        self._fragments: dict[str, Fragment] = {}
        # Two Services may claim one external address; then the first value in order counts, and the other takes
        # over when it goes. One transaction must never hold two values for one key, or all of it would fail.
        self._claims: dict[tuple[str, str], Counter[str]] = {}

    def update(self, changes: Mapping[str, Fragment | None]) -> Delta:
        """Replace fragments (None: remove) and say what that changes."""
        delta = Delta()
        before: dict[tuple[str, str], str | None] = {}
        for key, replacement in changes.items():
            old, new = self._fragments.get(key, EMPTY), replacement or EMPTY
            _diff_objects(old, new, delta)
            for element in old.elements ^ new.elements:
                before.setdefault(element[:2], self._value(element[:2]))
                self._claim(element, 1 if element in new.elements else -1)
            if replacement is None:
                self._fragments.pop(key, None)
            else:
                self._fragments[key] = new
        for place in sorted(before):
            was, now = before[place], self._value(place)
            if was != now:
                delta.remove_elements += [(*place, was)] if was is not None else []
                delta.add_elements += [(*place, now)] if now is not None else []
        return delta

    def whole(self) -> Delta:
        """Everything, for an empty table."""
        delta = Delta(add_elements=[(*place, min(values)) for place, values in sorted(self._claims.items())])
        for fragment in self._fragments.values():
            delta.add_sets.update(fragment.sets)
            delta.write_chains.update(fragment.chains)
            delta.new_chains.update(fragment.chains)
        return delta

    def _value(self, place: tuple[str, str]) -> str | None:
        return min(self._claims[place]) if place in self._claims else None

    def _claim(self, element: Element, change: int) -> None:
        values = self._claims.setdefault(element[:2], Counter())
        values[element[2]] += change
        if values[element[2]] <= 0:
            del values[element[2]]
        if not values:
            del self._claims[element[:2]]


def _diff_objects(old: Fragment, new: Fragment, delta: Delta) -> None:
    for name, seconds in new.sets.items():
        if old.sets.get(name) != seconds:
            delta.add_sets[name] = seconds
    delta.remove_sets += [name for name in old.sets if name not in new.sets]
    for name, rules in new.chains.items():
        if old.chains.get(name) != rules:
            delta.write_chains[name] = rules
            if name not in old.chains:
                delta.new_chains.add(name)
    delta.remove_chains += [name for name in old.chains if name not in new.chains]
