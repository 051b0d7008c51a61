"""What filter and score of topology spreading share: which constraints hold, how many pods each domain has."""

import numpy as np

from pybernetes.scheduler.eligibility import Counted
from pybernetes.scheduler.podquery import Match, PodQuery
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Spread, Template
from pybernetes.scheduler.types import Ints

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
DEFAULTS = ((HOSTNAME, 3), (ZONE, 5))
"""(topology key, max skew) of the constraints that pods without any are given, all of them soft."""


def hard_constraints(template: Template) -> tuple[Spread, ...]:
    """Those that a node must not break."""
    return tuple(constraint for constraint in template.spread if constraint.hard)


def soft_constraints(snapshot: Snapshot, template: Template) -> tuple[tuple[Spread, ...], bool]:
    """Those that only rank nodes, and whether a node must have all their keys: not for the default ones."""
    if template.spread:
        return tuple(constraint for constraint in template.spread if not constraint.hard), True
    selector = snapshot.default_selector(template)
    if selector is None:
        return (), False
    query = PodQuery((Match(selector, frozenset([template.namespace])),), live_only=True)
    return tuple(Spread(query, key, skew, 1, False, True, False, True) for key, skew in DEFAULTS), False


def domain_counts(snapshot: Snapshot, constraint: Spread, counted: Counted) -> Ints:
    """How many pods each domain has on the nodes that count, by code."""
    tally = snapshot.pods.tally(constraint.query)
    if counted.whole:
        return tally.domains(constraint.topology_key)
    column = snapshot.nodes.column(constraint.topology_key)
    size = snapshot.nodes.size
    weights = tally.by_node[:size] * counted.mask
    counts: Ints = np.bincount(column.codes[:size], weights, minlength=len(column.values)).astype(np.int64)
    return counts
