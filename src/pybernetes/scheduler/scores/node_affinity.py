"""NodeAffinity: the weights of the preferred terms that a node meets."""

import numpy as np

from pybernetes.scheduler.nodematch import term_mask
from pybernetes.scheduler.normalize import by_maximum
from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows


class NodeAffinityScore:
    """preferredDuringSchedulingIgnoredDuringExecution."""

    name = "NodeAffinity"
    weight = 2
    scope = Scope.NODE
    relative = True

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """The sum of the weights."""
        if not template.preferred_nodes:
            return None
        nodes = snapshot.nodes
        total: Ints = np.zeros(len(nodes.valid[rows]), np.int64)
        for preferred in template.preferred_nodes:
            total += preferred.weight * term_mask(nodes, preferred.preference, rows)
        return total

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """The highest is 100."""
        return by_maximum(raw, feasible)
