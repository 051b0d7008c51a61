"""TaintToleration: taints keep pods away that do not tolerate them.

NoSchedule and NoExecute refuse a node; each PreferNoSchedule taint that the pod does not tolerate lowers its score.
"""

import numpy as np

from pybernetes.api.core.node import Node
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.nodematch import tolerates, untainted_mask, untolerated
from pybernetes.scheduler.normalize import by_maximum
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Filter, Scope, Score
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows

SOFT = "PreferNoSchedule"


def taint_toleration(args: Args, objects: Objects) -> Plugin:
    """A node without the taint helps."""
    return Plugin(
        filter=_Filter(),
        score=_Score(),
        interests=(Interest(Node, Action.ADD | Action.UPDATE_NODE_TAINT),),
        implied=frozenset({"preScore"}),
    )


class _Filter(Filter):
    """Nodes with the same taints share an answer; the code is that set's number plus one."""

    scope = Scope.NODE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """Not 0 where a taint is not tolerated."""
        nodes = snapshot.nodes
        if len(nodes.taint_sets) == 1:
            return None
        return np.where(untainted_mask(nodes, template, rows), 0, nodes.taint_codes[rows].astype(np.int64) + 1)

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """Names the first taint that is not tolerated."""
        taint = untolerated(template, snapshot.nodes.taint_sets[code - 1])
        key, value, _ = taint or ("", "", "")
        return [f"node(s) had untolerated taint {{{key}: {value}}}"]


class _Score(Score):
    scope = Scope.NODE
    relative = True

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """The number of PreferNoSchedule taints that the pod does not tolerate."""
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
        """No such taint is 100, the most is 0."""
        return by_maximum(raw, feasible, reverse=True)
