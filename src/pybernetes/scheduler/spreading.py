"""Shared by filter and score of PodTopologySpread: the constraints of a pod, and the number of pods per domain."""

from collections.abc import Callable, Iterable

import numpy as np

from pybernetes.api.core.affinity import TopologySpreadConstraint
from pybernetes.api.labels import Selector
from pybernetes.api.wellknown import LABEL_HOSTNAME, LABEL_ZONE
from pybernetes.scheduler.eligibility import Counted
from pybernetes.scheduler.podquery import Match, PodQuery
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import HARD, Spread, Template
from pybernetes.scheduler.types import Ints

SYSTEM_DEFAULTS = (
    TopologySpreadConstraint(topology_key=LABEL_HOSTNAME, max_skew=3, when_unsatisfiable="ScheduleAnyway"),
    TopologySpreadConstraint(topology_key=LABEL_ZONE, max_skew=5, when_unsatisfiable="ScheduleAnyway"),
)
"""The constraints of pods that have none (defaultingType: System)."""

_REMEMBERED = 1024

SelectorOf = Callable[[Template], Selector | None]
"""Which pods a pod is spread among by default: those of its Services and its controller."""


class Constraints:
    """The constraints of each template. Default ones are remembered until an object changes that they depend on."""

    def __init__(self, defaults: Iterable[TopologySpreadConstraint], selector_of: SelectorOf) -> None:
        self._defaults = tuple(defaults)
        self._selector_of = selector_of
        self._known: dict[Template, tuple[Spread, ...]] = {}
        self._version = -1

    def hard(self, snapshot: Snapshot, template: Template) -> tuple[Spread, ...]:
        """The constraints that a node must satisfy."""
        found = self._of(snapshot, template)
        return tuple(constraint for constraint in found if constraint.hard) if found else found

    def soft(self, snapshot: Snapshot, template: Template) -> tuple[Spread, ...]:
        """The constraints that only rank nodes."""
        found = self._of(snapshot, template)
        return tuple(constraint for constraint in found if not constraint.hard) if found else found

    def _of(self, snapshot: Snapshot, template: Template) -> tuple[Spread, ...]:
        if template.spread or not self._defaults:
            return template.spread
        if self._version != snapshot.objects_version or len(self._known) > _REMEMBERED:
            self._known.clear()
            self._version = snapshot.objects_version
        found = self._known.get(template)
        if found is None:
            found = self._known[template] = self._default(template)
        return found

    def _default(self, template: Template) -> tuple[Spread, ...]:
        selector = self._selector_of(template)
        if selector is None:
            return ()
        query = PodQuery((Match(selector, frozenset([template.namespace])),), live_only=True)
        return tuple(
            Spread(
                query=query,
                topology_key=constraint.topology_key,
                max_skew=constraint.max_skew,
                min_domains=constraint.min_domains or 1,
                hard=constraint.when_unsatisfiable == HARD,
                honor_affinity=constraint.node_affinity_policy != "Ignore",
                honor_taints=constraint.node_taints_policy == "Honor",
                self_match=selector.matches(template.labels),
            )
            for constraint in self._defaults
        )


def domain_counts(snapshot: Snapshot, constraint: Spread, counted: Counted) -> Ints:
    """How many pods each domain has on the nodes that count, by code."""
    tally = snapshot.pods.tally(constraint.query)
    if counted.all_nodes:
        return tally.domains(constraint.topology_key)
    column = snapshot.nodes.column(constraint.topology_key)
    size = snapshot.nodes.size
    weights = tally.by_node[:size] * counted.mask
    counts: Ints = np.bincount(column.codes[:size], weights, minlength=len(column.values)).astype(np.int64)
    return counts
