"""NodeResourcesBalancedAllocation: CPU and memory should be used up at the same pace."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.resources import CPU, MEMORY
from pybernetes.scheduler.snapshot import SCORED, Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows


class BalancedAllocation:
    """100 less the standard deviation of the used shares, in percent."""

    name = "NodeResourcesBalancedAllocation"
    weight = 1
    scope = Scope.USAGE
    relative = False

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """0 to 100; nothing for pods that request neither resource."""
        if CPU not in template.requests and MEMORY not in template.requests:
            return None
        allocatable = snapshot.nodes.allocatable[: len(SCORED), rows]
        wanted = np.array([template.requests.get(name, 0) for name in SCORED], np.int64)[:, None]
        used = snapshot.requested[: len(SCORED), rows] + wanted
        present = allocatable > 0
        shares = np.minimum(used / np.where(present, allocatable, 1), 1.0)
        # With two resources the standard deviation is half the distance; with one it is 0.
        spread = np.where(present.all(axis=0), np.abs(shares[0] - shares[1]) / 2, 0.0)
        score: Ints = ((1 - spread) * MAX_SCORE).astype(np.int64)
        return score

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """It is 0 to 100 already."""
        return raw
