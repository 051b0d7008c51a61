"""PodTopologySpread: the pods of a group should be spread evenly over zones, nodes or other domains."""

import math

import numpy as np

from pybernetes.api import names, rules
from pybernetes.api.core.affinity import TopologySpreadConstraint
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.field import Errors, Path
from pybernetes.api.wellknown import LABEL_HOSTNAME
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.defaultspread import DefaultSelectors
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Filter, Scope, Score
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.spreading import SYSTEM_DEFAULTS, Constraints, domain_counts
from pybernetes.scheduler.template import HARD, Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows

REASON = "node(s) didn't match pod topology spread constraints"
REASON_MISSING_LABEL = "node(s) didn't match pod topology spread constraints (missing required label)"
_SKEWED, _MISSING = 1, 2
_NO_DOMAIN = 2**31 - 1
_IGNORED = -1
_SYSTEM, _LIST = "System", "List"


class PodTopologySpreadArgs(Args, frozen=True, kw_only=True):
    """Arguments of PodTopologySpread."""

    default_constraints: tuple[TopologySpreadConstraint, ...] = ()
    """The constraints of pods that have none, with defaultingType List."""
    defaulting_type: str = _SYSTEM
    """System: spread such pods over nodes (skew 3) and zones (skew 5). List: use default_constraints."""

    def validate(self, path: Path, errors: Errors) -> None:
        place = path / "defaultingType"
        if self.defaulting_type not in (_SYSTEM, _LIST):
            errors.not_supported(place, self.defaulting_type, [_SYSTEM, _LIST])
        elif self.defaulting_type == _SYSTEM and self.default_constraints:
            errors.invalid(place, self.defaulting_type, "when .defaultConstraints are not empty")
        seen: set[tuple[str, str]] = set()
        for index, constraint in enumerate(self.default_constraints):
            place = path / "defaultConstraints" @ index
            _validate_constraint(constraint, place, errors)
            key = constraint.topology_key, constraint.when_unsatisfiable
            if key in seen:
                errors.duplicate(place, f"{{{key[0]}, {key[1]}}}")
            seen.add(key)


def _validate_constraint(constraint: TopologySpreadConstraint, path: Path, errors: Errors) -> None:
    if constraint.max_skew <= 0:
        errors.invalid(path / "maxSkew", constraint.max_skew, "not in valid range (0, inf)")
    if not constraint.topology_key:
        errors.required(path / "topologyKey", "can not be empty")
    else:
        rules.follows(constraint.topology_key, names.qualified_name, path / "topologyKey", errors)
    unsatisfiable = constraint.when_unsatisfiable
    if not unsatisfiable:
        errors.required(path / "whenUnsatisfiable", "can not be empty")
    elif unsatisfiable not in (HARD, "ScheduleAnyway"):
        errors.not_supported(path / "whenUnsatisfiable", unsatisfiable, [HARD, "ScheduleAnyway"])
    if constraint.label_selector is not None:
        text = "constraint must not define a selector, as they deduced for each pod"
        errors.forbidden(path / "labelSelector", text)


def pod_topology_spread(args: PodTopologySpreadArgs, objects: Objects) -> Plugin:
    """Pods and nodes that come and go help, and nodes whose labels or taints change."""
    system = args.defaulting_type == _SYSTEM
    defaults = SYSTEM_DEFAULTS if system else args.default_constraints
    selector_of = DefaultSelectors(objects) if defaults else _no_selector
    return spread_plugin(Constraints(defaults, selector_of), all_keys_for_defaults=not system)


def _no_selector(template: Template) -> None:
    return None


def spread_plugin(constraints: Constraints, *, all_keys_for_defaults: bool) -> Plugin:
    """The plugin for given constraints."""
    return Plugin(
        filter=_Filter(constraints),
        score=_Score(constraints, all_keys_for_defaults),
        interests=(
            Interest(Node, Action.ADD | Action.DELETE | Action.UPDATE_NODE_LABEL | Action.UPDATE_NODE_TAINT),
            Interest(Pod, Action.ADD | Action.UPDATE | Action.DELETE),
        ),
        implied=frozenset({"preFilter", "preScore"}),
    )


class _Filter(Filter):
    """The constraints with whenUnsatisfiable: DoNotSchedule."""

    scope = Scope.CLUSTER

    def __init__(self, constraints: Constraints) -> None:
        self._constraints = constraints

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """The code is that of the first constraint that a node violates."""
        constraints = self._constraints.hard(snapshot, template)
        if not constraints:
            return None
        keys = tuple(constraint.topology_key for constraint in constraints)
        codes: Ints = np.zeros(snapshot.nodes.size, np.int64)
        for constraint in constraints:
            counted = snapshot.eligible.of(template, constraint, keys)
            counts = domain_counts(snapshot, constraint, counted)
            present = counted.present
            least = int(counts[present].min()) if len(present) else _NO_DOMAIN
            if len(present) < constraint.min_domains:
                least = 0
            table = np.where(counts + int(constraint.self_match) - least > constraint.max_skew, _SKEWED, 0)
            table[0] = _MISSING
            here = table[snapshot.nodes.column(constraint.topology_key).codes[: len(codes)]]
            codes = np.where(codes == 0, here, codes)
        return codes[rows]

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        return [REASON if code == _SKEWED else REASON_MISSING_LABEL]

    def resolvable(self, template: Template, code: int) -> bool:
        """Removing pods can correct a skew, not a missing label."""
        return code == _SKEWED


class _Score(Score):
    """The constraints with whenUnsatisfiable: ScheduleAnyway: domains with fewer pods of the group score higher."""

    scope = Scope.CLUSTER
    relative = True

    def __init__(self, constraints: Constraints, all_keys_for_defaults: bool) -> None:
        self._constraints = constraints
        self._all_keys_for_defaults = all_keys_for_defaults

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """How crowded a node's domains are, weighted by how many domains there are; -1 for nodes left out."""
        constraints = self._constraints.soft(snapshot, template)
        if not constraints:
            return None
        nodes = snapshot.nodes
        need_all_keys = bool(template.spread) or self._all_keys_for_defaults
        keys = tuple(c.topology_key for c in constraints) if need_all_keys else ()
        considered: Mask = feasible
        for key in keys:
            considered = considered & (nodes.column(key).codes[nodes.rows] != 0)
        total = np.zeros(nodes.size, np.float64)
        for constraint in constraints:
            codes = nodes.column(constraint.topology_key).codes[nodes.rows]
            if constraint.topology_key == LABEL_HOSTNAME:
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
        """The emptiest is 100 (where all are equal: all nodes), nodes left out are 0."""
        ranked = feasible & (raw != _IGNORED)
        numbers = raw[ranked]
        if not len(numbers):
            return np.zeros(len(raw), np.int64)
        low, high = int(numbers.min()), int(numbers.max())
        if high == 0:
            return np.where(ranked, MAX_SCORE, 0).astype(np.int64)
        return np.where(ranked, MAX_SCORE * (high + low - raw) // high, 0)
