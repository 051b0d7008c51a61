"""NodeName: a pod that asks for one node by spec.nodeName."""

import numpy as np

from pybernetes.api.core.node import Node
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Filter, Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) didn't match the requested node name"


def node_name(args: Args, objects: Objects) -> Plugin:
    """Pods that wait for a node never have one set; `pybernetes why` asks about pods that are placed."""
    return Plugin(filter=_NodeName(), interests=(Interest(Node, Action.ADD),))


class _NodeName(Filter):
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
        return [REASON]
