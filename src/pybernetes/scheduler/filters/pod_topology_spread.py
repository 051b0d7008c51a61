"""PodTopologySpread: no domain may get ahead of the emptiest by more than maxSkew."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.spreading import domain_counts, hard_constraints
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) didn't match pod topology spread constraints"
REASON_MISSING_LABEL = "node(s) didn't match pod topology spread constraints (missing required label)"
_SKEWED, _MISSING = 1, 2
_NO_DOMAIN = 2**31 - 1


class PodTopologySpread:
    """The constraints with whenUnsatisfiable: DoNotSchedule."""

    name = "PodTopologySpread"
    scope = Scope.CLUSTER

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """The first constraint that a node breaks says which code."""
        constraints = hard_constraints(template)
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
        """One of two texts."""
        return [REASON if code == _SKEWED else REASON_MISSING_LABEL]

    def resolvable(self, template: Template, code: int) -> bool:
        """Fewer pods can mend a skew, not a missing label."""
        return code == _SKEWED
