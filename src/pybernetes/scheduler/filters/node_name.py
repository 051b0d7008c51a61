"""NodeName: a pod that asks for one node by spec.nodeName."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) didn't match the requested node name"


class NodeName:
    """Pods that wait for a node never have one set; `why` asks it about pods that are placed."""

    name = "NodeName"
    scope = Scope.NODE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """1 on every other node."""
        if not template.node_name:
            return None
        codes: Ints = np.ones(snapshot.nodes.size, np.int64)
        row = snapshot.nodes.row_of.get(template.node_name)
        if row is not None:
            codes[row] = 0
        return codes[rows]

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One text."""
        return [REASON]

    def resolvable(self, template: Template, code: int) -> bool:
        """Pods have nothing to do with it."""
        return False
