"""NodeResourcesFit as a score, strategy LeastAllocated: the more is left free, the better."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import SCORED, Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows


class LeastAllocated:
    """The mean of the free shares of CPU and memory, in whole percents. Pods that ask for nothing count a little."""

    name = "NodeResourcesFit"
    weight = 1
    scope = Scope.USAGE
    relative = False

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """0 to 100."""
        allocatable = snapshot.nodes.allocatable[: len(SCORED), rows]
        wanted = np.array(template.non_zero, np.int64)[:, None]
        free = np.maximum(allocatable - snapshot.non_zero[:, rows] - wanted, 0)
        present = allocatable > 0
        shares = free * MAX_SCORE // np.where(present, allocatable, 1)
        total: Ints = shares.sum(axis=0) // np.maximum(present.sum(axis=0), 1)
        return total

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """It is 0 to 100 already."""
        return raw
