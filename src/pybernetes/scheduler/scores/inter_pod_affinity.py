"""InterPodAffinity as a score: preferred terms, both the pod's own and those of pods that are placed."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.podquery import PodQuery
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows


class InterPodAffinityScore:
    """Each pod in a node's domain that a term means adds the term's weight."""

    name = "InterPodAffinity"
    weight = 2
    scope = Scope.CLUSTER
    relative = True

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """The sum of the weights, which may be negative."""
        weighted = [(term, snapshot.pods.tally(PodQuery((term.match,)))) for term in template.preferred_pods]
        weighted += snapshot.pods.terms_about(template, anti=False)
        if not weighted:
            return None
        nodes = snapshot.nodes
        total: Ints = np.zeros(nodes.size, np.int64)
        for term, tally in weighted:
            if tally.total:
                table = tally.domains(term.topology_key) * term.weight
                total += table[nodes.column(term.topology_key).codes[nodes.rows]]
        return total

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """The lowest is 0, the highest 100; where all are alike, everyone gets 0."""
        if not feasible.any():
            return np.zeros(len(raw), np.int64)
        big = np.iinfo(np.int64).max
        low = int(np.min(raw, where=feasible, initial=big))
        high = int(np.max(raw, where=feasible, initial=-big))
        if high == low:
            return np.zeros(len(raw), np.int64)
        scaled: Ints = (float(MAX_SCORE) * ((raw - low) / (high - low))).astype(np.int64)
        return scaled
