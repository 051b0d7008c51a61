"""InterPodAffinity: pods that must be near others, or must not."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.podquery import PodQuery
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows

_AFFINITY, _ANTI, _EXISTING = 1, 2, 3
REASONS = {
    _AFFINITY: "node(s) didn't match pod affinity rules",
    _ANTI: "node(s) didn't match pod anti-affinity rules",
    _EXISTING: "node(s) didn't satisfy existing pods anti-affinity rules",
}


class InterPodAffinity:
    """The required terms of the pod, and the required anti-affinity of pods that are placed."""

    name = "InterPodAffinity"
    scope = Scope.CLUSTER

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """In the order affinity, anti-affinity, anti-affinity of others."""
        existing = snapshot.pods.terms_about(template, anti=True)
        if not template.affinity and not template.anti_affinity and not existing:
            return None
        size = snapshot.nodes.size
        codes: Ints = np.zeros(size, np.int64)
        for _, key, tally in ((t, t.topology_key, tally) for t, tally in existing):
            codes[_occupied(snapshot, key, tally.domains(key))] = _EXISTING
        for term in template.anti_affinity:
            counts = snapshot.pods.tally(PodQuery((term.match,))).domains(term.topology_key)
            codes[_occupied(snapshot, term.topology_key, counts)] = _ANTI
        if template.affinity:
            codes[~_near(snapshot, template)] = _AFFINITY
        return codes[rows]

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One of three texts."""
        return [REASONS[code]]

    def resolvable(self, template: Template, code: int) -> bool:
        """Fewer pods can help against anti-affinity; they bring nobody nearer."""
        return code != _AFFINITY


def _occupied(snapshot: Snapshot, key: str, counts: Ints) -> Mask:
    """The nodes in domains where the count is not 0."""
    table: Mask = counts > 0
    mask: Mask = table[snapshot.nodes.column(key).codes[: snapshot.nodes.size]]
    return mask


def _near(snapshot: Snapshot, template: Template) -> Mask:
    """The nodes with a pod in the domain of each term. A pod counts if it meets all the terms.

    The first of a group of pods that want to be near each other would never find a place: where no pod meets the
    terms anywhere and the pod itself does, every node that has the keys will do.
    """
    tally = snapshot.pods.tally(PodQuery(tuple(term.match for term in template.affinity)))
    size = snapshot.nodes.size
    near: Mask = np.ones(size, np.bool_)
    labelled: Mask = np.ones(size, np.bool_)
    anywhere = False
    for key in dict.fromkeys(term.topology_key for term in template.affinity):
        counts = tally.domains(key)
        anywhere = anywhere or bool(tally.total and counts.any())
        near &= _occupied(snapshot, key, counts)
        labelled &= snapshot.nodes.column(key).codes[:size] != 0
    if not anywhere and _meets_own_terms(snapshot, template):
        return labelled
    return near


def _meets_own_terms(snapshot: Snapshot, template: Template) -> bool:
    known = snapshot.pods.namespaces
    return all(term.match.matches(template.namespace, template.labels, known) for term in template.affinity)
