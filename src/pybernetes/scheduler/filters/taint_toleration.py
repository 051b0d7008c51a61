"""TaintToleration: a NoSchedule or NoExecute taint keeps away the pods that don't tolerate it."""

import numpy as np

from pybernetes.scheduler.nodematch import untainted_mask, untolerated
from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows


class TaintToleration:
    """Nodes with the same taints share an answer; the code is that set's number plus one."""

    name = "TaintToleration"
    scope = Scope.NODE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """Not 0 where a taint is not tolerated."""
        nodes = snapshot.nodes
        if len(nodes.taint_sets) == 1:
            return None
        return np.where(untainted_mask(nodes, template, rows), 0, nodes.taint_codes[rows].astype(np.int64) + 1)

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """Names the first taint that is in the way."""
        taint = untolerated(template, snapshot.nodes.taint_sets[code - 1])
        key, value, _ = taint or ("", "", "")
        return [f"node(s) had untolerated taint {{{key}: {value}}}"]

    def resolvable(self, template: Template, code: int) -> bool:
        """Pods have nothing to do with it."""
        return False
