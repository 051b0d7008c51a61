"""PodTopologySpread as a score: domains with fewer pods of the group are better."""

import math

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.spreading import HOSTNAME, domain_counts, soft_constraints
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows

_IGNORED = -1


class PodTopologySpreadScore:
    """The constraints with whenUnsatisfiable: ScheduleAnyway, or the default ones."""

    name = "PodTopologySpread"
    weight = 2
    scope = Scope.CLUSTER
    relative = True

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """How crowded a node's domains are, weighted by how many domains there are; -1 for nodes left aside."""
        constraints, need_all_keys = soft_constraints(snapshot, template)
        if not constraints:
            return None
        nodes = snapshot.nodes
        keys = tuple(c.topology_key for c in constraints) if need_all_keys else ()
        considered: Mask = feasible
        for key in keys:
            considered = considered & (nodes.column(key).codes[nodes.rows] != 0)
        total = np.zeros(nodes.size, np.float64)
        for constraint in constraints:
            codes = nodes.column(constraint.topology_key).codes[nodes.rows]
            if constraint.topology_key == HOSTNAME:
                domains = int(np.count_nonzero(considered))
                counts = snapshot.pods.tally(constraint.query).by_node[nodes.rows]
            else:
                domains = len(np.unique(codes[considered & (codes != 0)]))
                counted = snapshot.eligible.of(template, constraint, keys)
                counts = domain_counts(snapshot, constraint, counted)[codes]
            crowd = counts * math.log(domains + 2) + (constraint.max_skew - 1)
            total += np.where(codes != 0, crowd, 0.0)
        return np.where(considered, np.floor(total + 0.5).astype(np.int64), _IGNORED)

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """The emptiest is 100 (where all are alike: everyone), nodes left aside are 0."""
        ranked = feasible & (raw != _IGNORED)
        numbers = raw[ranked]
        if not len(numbers):
            return np.zeros(len(raw), np.int64)
        low, high = int(numbers.min()), int(numbers.max())
        if high == 0:
            return np.where(ranked, MAX_SCORE, 0).astype(np.int64)
        return np.where(ranked, MAX_SCORE * (high + low - raw) // high, 0)
