"""Counts of pods per node and per topology domain, kept current one pod at a time.

Pods alike in namespace, labels and deletion form a *class*; a query (a selector with its namespaces) is answered per
class once, and its count then follows each pod that comes and goes. So asking "how many pods like this are in each
zone" costs one array lookup, however many pods there are.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

import numpy as np

from pybernetes.scheduler.columns import grown
from pybernetes.scheduler.nodes import NodeTable
from pybernetes.scheduler.podquery import AffinityTerm, PodQuery
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints

_MAX_QUERIES = 1024
"""With more queries than this all counts are dropped, and built again when needed: workloads come and go."""


class Tally:
    """A count per node, and on demand a count per domain of a topology key."""

    def __init__(self, nodes: NodeTable) -> None:
        self._nodes = nodes
        self._by_node = np.zeros(nodes.capacity, np.int64)
        self._domains: dict[str, Ints] = {}
        self._version = nodes.labels_version
        self.total = 0

    @property
    def by_node(self) -> Ints:
        """The count of each row."""
        if len(self._by_node) < self._nodes.capacity:
            self._by_node = grown(self._by_node, self._nodes.capacity)
        return self._by_node

    def add(self, row: int, number: int) -> None:
        """Add `number`, which may be negative, to the count of a node."""
        self.by_node[row] += number
        self.total += number
        if self._version == self._nodes.labels_version:
            for key, counts in self._domains.items():
                code = self._nodes.column(key).codes[row]
                if code:
                    counts[code] += number

    def domains(self, key: str) -> Ints:
        """The count of each domain, by the codes of the key's column; element 0 (nodes without the key) is 0."""
        if self._version != self._nodes.labels_version:
            self._domains.clear()
            self._version = self._nodes.labels_version
        counts = self._domains.get(key)
        if counts is None:
            column = self._nodes.column(key)
            weights = self.by_node[: len(column.codes)]
            counts = np.bincount(column.codes, weights, minlength=len(column.values)).astype(np.int64)
            counts[0] = 0
            self._domains[key] = counts
        return counts


ClassKey = tuple[str, frozenset[tuple[str, str]], bool]


@dataclass(slots=True, eq=False)
class PodClass:
    """Pods that are the same to every query."""

    namespace: str
    labels: Mapping[str, str]
    terminating: bool
    rows: Counter[int] = field(default_factory=Counter)
    tallies: list[Tally] = field(default_factory=list)
    version: int = -1


class Role(Enum):
    """What a term of a placed pod means for new pods."""

    ANTI = auto()
    """Required anti-affinity: it keeps them out of the domain."""
    REQUIRED = auto()
    """Required affinity: it adds HardPodAffinityWeight to the domain's score."""
    PREFERRED = auto()
    """Preferred affinity or anti-affinity: it adds its weight, negative for anti-affinity."""


TermKey = tuple[Role, AffinityTerm]


class PodIndex:
    """All classes and queries, and the affinity terms of placed pods."""

    def __init__(self, nodes: NodeTable) -> None:
        self._nodes = nodes
        self.namespaces: dict[str, Mapping[str, str]] = {}
        self._classes: dict[ClassKey, PodClass] = {}
        self._queries: dict[PodQuery, Tally] = {}
        self._queries_version = 0
        self._terms: dict[TermKey, Tally] = {}
        self._terms_version = 0
        self._matching: dict[tuple[Template, Role], tuple[int, list[tuple[AffinityTerm, Tally]]]] = {}

    def add(self, template: Template, terminating: bool, row: int, number: int) -> None:
        """Add a pod to a node (number 1), or remove it (-1)."""
        group = self._class(template, terminating)
        group.rows[row] += number
        for tally in self._tallies(group):
            tally.add(row, number)
        if not group.rows[row]:
            del group.rows[row]
            if not group.rows:
                del self._classes[_class_key(template, terminating)]
        if template.has_pod_terms:
            self._add_terms(template, row, number)

    def tally(self, query: PodQuery) -> Tally:
        """The count of the pods that a query selects."""
        found = self._queries.get(query)
        if found is None:
            if len(self._queries) >= _MAX_QUERIES:
                self._queries.clear()
            found = self._queries[query] = Tally(self._nodes)
            self._queries_version += 1
            for group in self._classes.values():
                if self._includes(query, group):
                    for row, number in group.rows.items():
                        found.add(row, number)
        return found

    def terms_about(self, template: Template, role: Role) -> list[tuple[AffinityTerm, Tally]]:
        """The terms of placed pods that select pods like this one, with the count of the pods that have them."""
        if not self._terms:
            return []
        version, found = self._matching.get((template, role), (-1, []))
        if version != self._terms_version:
            found = [
                (term, tally)
                for (its_role, term), tally in self._terms.items()
                if its_role is role and term.match.matches(template.namespace, template.labels, self.namespaces)
            ]
            if len(self._matching) > _MAX_QUERIES:
                self._matching.clear()
            self._matching[template, role] = (self._terms_version, found)
        return found

    def put_namespace(self, name: str, labels: Mapping[str, str] | None) -> None:
        """Set the labels of a namespace (None: it is gone). Queries that select namespaces by label start again."""
        if self.namespaces.get(name) == labels:
            return
        if labels is None:
            del self.namespaces[name]
        else:
            self.namespaces[name] = labels
        selecting = [q for q in self._queries if any(not m.namespace_selector.nothing for m in q.matches)]
        for query in selecting:
            del self._queries[query]
        self._queries_version += 1
        self._terms_version += 1

    def _add_terms(self, template: Template, row: int, number: int) -> None:
        keys: list[TermKey] = [(Role.ANTI, term) for term in template.anti_affinity]
        keys += [(Role.PREFERRED, term) for term in template.preferred_pods]
        keys += [(Role.REQUIRED, term) for term in template.affinity]
        for key in keys:
            tally = self._terms.get(key)
            if tally is None:
                tally = self._terms[key] = Tally(self._nodes)
                self._terms_version += 1
            tally.add(row, number)
            if not tally.total:
                del self._terms[key]
                self._terms_version += 1

    def _class(self, template: Template, terminating: bool) -> PodClass:
        key = _class_key(template, terminating)
        group = self._classes.get(key)
        if group is None:
            group = self._classes[key] = PodClass(template.namespace, template.labels, terminating)
        return group

    def _tallies(self, group: PodClass) -> list[Tally]:
        if group.version != self._queries_version:
            group.version = self._queries_version
            group.tallies = [tally for query, tally in self._queries.items() if self._includes(query, group)]
        return group.tallies

    def _includes(self, query: PodQuery, group: PodClass) -> bool:
        if query.live_only and group.terminating:
            return False
        return query.includes(group.namespace, group.labels, self.namespaces)


def _class_key(template: Template, terminating: bool) -> ClassKey:
    return template.namespace, frozenset(template.labels.items()), terminating
