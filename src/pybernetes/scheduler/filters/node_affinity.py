"""NodeAffinity: nodeSelector and required node affinity."""

import numpy as np

from pybernetes.scheduler.nodematch import pinned_names, required_mask
from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) didn't match Pod's node affinity/selector"
REASON_PINNED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"


class _NodeAffinityBase:
    """What both halves share."""

    name = "NodeAffinity"
    scope = Scope.NODE

    def resolvable(self, template: Template, code: int) -> bool:
        """Pods have nothing to do with it."""
        return False


class PinnedByNodeAffinity(_NodeAffinityBase):
    """Affinity by node name (pods of a DaemonSet) leaves only those nodes to look at, before any other filter."""

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """1 on every node that is not named."""
        names = pinned_names(template)
        if names is None:
            return None
        codes: Ints = np.ones(snapshot.nodes.size, np.int64)
        codes[[row for name in names if (row := snapshot.nodes.row_of.get(name)) is not None]] = 0
        return codes[rows]

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One text."""
        return [REASON_PINNED]


class NodeAffinity(_NodeAffinityBase):
    """All of nodeSelector, and one of the terms."""

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """1 where the node's labels don't match."""
        mask = required_mask(snapshot.nodes, template, rows)
        return None if mask is None else (~mask).astype(np.int64)

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One text."""
        return [REASON]
