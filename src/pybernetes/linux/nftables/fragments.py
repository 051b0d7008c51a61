"""The parts of a table that belong to one owner each, such as one Service, and what an update of some changes. Pure.

A ruleset is the sum of its fragments. An update names the fragments that changed; its cost depends on those alone, not
on how many there are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pybernetes.linux.nftables.table import Rule, Set

Element = tuple[str, str, str]
"""(map or set, key, value); the value is empty in a set."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one owner needs."""

    chains: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    """rules by chain"""
    sets: tuple[Set, ...] = ()
    elements: frozenset[Element] = frozenset()
    """Elements of the sets and maps that the table declares; several fragments may need the same one."""


EMPTY = Fragment()


class Writer(Protocol):
    """Takes the steps of a change in order: `script.Script`, `batch.Batch`."""

    def add_set(self, made: Set) -> None: ...
    def delete_set(self, name: str) -> None: ...
    def add_chain(self, name: str) -> None: ...
    def flush_chain(self, name: str) -> None: ...
    def delete_chain(self, name: str) -> None: ...
    def add_rule(self, chain: str, rule: Rule) -> None: ...
    def add_elements(self, name: str, entries: Iterable[tuple[str, str]]) -> None: ...
    def delete_elements(self, name: str, entries: Iterable[tuple[str, str]]) -> None: ...


@dataclass(slots=True)
class Delta:
    """The difference between two states of a ruleset."""

    remove_elements: list[Element] = field(default_factory=list)
    add_sets: list[Set] = field(default_factory=list)
    write_chains: dict[str, tuple[Rule, ...]] = field(default_factory=dict)
    new_chains: set[str] = field(default_factory=set)
    """Those of `write_chains` that do not exist yet; the others are flushed first."""
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

    def write(self, out: Writer) -> None:
        """Write all steps, in an order that never refers to an object that does not exist."""
        for name, entries in _by_set(self.remove_elements):
            out.delete_elements(name, entries)
        for made in self.add_sets:
            out.add_set(made)
        for chain in self.write_chains:
            # Adding a chain that exists would make the kernel wait for all readers before the next change.
            if chain in self.new_chains:
                out.add_chain(chain)
            else:
                out.flush_chain(chain)
        for chain, rules in self.write_chains.items():
            for rule in rules:
                out.add_rule(chain, rule)
        for name, entries in _by_set(self.add_elements):
            out.add_elements(name, entries)
        for chain in self.remove_chains:
            out.flush_chain(chain)
        for chain in self.remove_chains:
            out.delete_chain(chain)
        for name in self.remove_sets:
            out.delete_set(name)


def _by_set(elements: Iterable[Element]) -> list[tuple[str, list[tuple[str, str]]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name, key, value in elements:
        found.setdefault(name, []).append((key, value))
    return list(found.items())


class Ruleset:
    """All fragments of a table, by the key of their owner."""

    def __init__(self) -> None:
        self._fragments: dict[str, Fragment] = {}
        # Two owners may claim one key of a map, such as two Services one external address: the smallest value wins,
        # and the next one takes over when it goes. A transaction with two values for one key would be rejected.
        self._claims: dict[tuple[str, str], Counter[str]] = {}

    def update(self, changes: Mapping[str, Fragment | None]) -> Delta:
        """Replace fragments (None: remove); returns what that changes."""
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

    def all(self) -> Delta:
        """Everything, for a table without fragments."""
        delta = Delta(add_elements=[(*place, min(values)) for place, values in sorted(self._claims.items())])
        for fragment in self._fragments.values():
            delta.add_sets += fragment.sets
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
    # A set's name contains what it depends on, so two sets of one name are equal.
    existing = {one.name for one in old.sets}
    needed = {one.name for one in new.sets}
    delta.add_sets += [one for one in new.sets if one.name not in existing]
    delta.remove_sets += [one.name for one in old.sets if one.name not in needed]
    for name, rules in new.chains.items():
        if old.chains.get(name) != rules:
            delta.write_chains[name] = rules
            if name not in old.chains:
                delta.new_chains.add(name)
    delta.remove_chains += [name for name in old.chains if name not in new.chains]
