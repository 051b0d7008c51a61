"""TaintToleration: fewer PreferNoSchedule taints that the pod does not tolerate are better."""

import numpy as np

from pybernetes.scheduler.nodematch import tolerates
from pybernetes.scheduler.normalize import by_maximum
from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows

SOFT = "PreferNoSchedule"


class TaintTolerationScore:
    """Counts the taints."""

    name = "TaintToleration"
    weight = 3
    scope = Scope.NODE
    relative = True

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """The number of soft taints in the way."""
        tolerations = [t for t in template.tolerations if t.effect in ("", SOFT)]
        table = np.array(
            [
                sum(taint[2] == SOFT and not tolerates(tolerations, taint) for taint in taints)
                for taints in snapshot.nodes.taint_sets
            ],
            np.int64,
        )
        raw: Ints = table[snapshot.nodes.taint_codes[rows]]
        return raw

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """None is 100, the most is 0."""
        return by_maximum(raw, feasible, reverse=True)
