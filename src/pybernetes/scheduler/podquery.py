"""Sets of pods: which pods an affinity term or a spread constraint selects.

A `PodQuery` is hashable, so that pods of one workload share one count per node.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pybernetes.api import labels as selectors
from pybernetes.api.core.affinity import PodAffinityTerm
from pybernetes.api.labels import Requirement, Selector
from pybernetes.api.meta import LabelSelector

NamespaceLabels = Mapping[str, Mapping[str, str]]
"""Namespace name -> its labels."""


@dataclass(frozen=True, slots=True)
class Match:
    """Pods with these labels in these namespaces; `namespace_selector` adds namespaces by their labels."""

    selector: Selector
    namespaces: frozenset[str]
    namespace_selector: Selector = selectors.NOTHING

    def matches(self, namespace: str, labels: Mapping[str, str], known: NamespaceLabels) -> bool:
        """Whether a pod of that namespace with those labels is selected."""
        if namespace not in self.namespaces:
            wanted = self.namespace_selector
            if wanted.nothing or not (wanted.everything or wanted.matches(known.get(namespace, {}))):
                return False
        return self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class PodQuery:
    """Pods that meet all of `matches`; `live_only` leaves out pods that are being deleted."""

    matches: tuple[Match, ...]
    live_only: bool = False

    def includes(self, namespace: str, labels: Mapping[str, str], known: NamespaceLabels) -> bool:
        """Whether a pod is selected, apart from `live_only`."""
        return all(match.matches(namespace, labels, known) for match in self.matches)


@dataclass(frozen=True, slots=True)
class AffinityTerm:
    """One term of pod (anti-)affinity. `weight` is 0 for a required one, negative for preferred anti-affinity."""

    match: Match
    topology_key: str
    weight: int = 0


def selector_of(
    wanted: LabelSelector | None, labels: Mapping[str, str], same: Sequence[str], different: Sequence[str] = ()
) -> Selector:
    """A selector narrowed to the pod's own values of the labels `same`, and away from those of `different`.

    The API server writes these into the selector too; doing it again changes nothing. A selector that is
    not valid selects nothing.
    """
    try:
        selector = selectors.from_label_selector(wanted)
    except selectors.SelectorError:
        return selectors.NOTHING
    if selector.nothing:
        return selector
    more = [Requirement(key, selectors.IN, (labels[key],)) for key in same if key in labels]
    more += [Requirement(key, selectors.NOT_IN, (labels[key],)) for key in different if key in labels]
    return Selector((*selector.requirements, *more)) if more else selector


def affinity_term(term: PodAffinityTerm, namespace: str, labels: Mapping[str, str], weight: int = 0) -> AffinityTerm:
    """The term of a pod with that namespace and those labels."""
    selector = selector_of(term.label_selector, labels, term.match_label_keys, term.mismatch_label_keys)
    own = not term.namespaces and term.namespace_selector is None
    return AffinityTerm(
        Match(
            selector,
            frozenset([namespace]) if own else frozenset(term.namespaces),
            selector_of(term.namespace_selector, {}, []),
        ),
        term.topology_key,
        weight,
    )
