"""NodeUnschedulable: a cordoned node (spec.unschedulable) accepts only pods that tolerate the taint of that name."""

from pybernetes.api.core.node import Node
from pybernetes.api.wellknown import TAINT_UNSCHEDULABLE
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.nodematch import tolerates
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Filter, Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) were unschedulable"
TAINT = (TAINT_UNSCHEDULABLE, "", "NoSchedule")


def node_unschedulable(args: Args, objects: Objects) -> Plugin:
    """Uncordoning a node helps."""
    return Plugin(filter=_NodeUnschedulable(), interests=(Interest(Node, Action.ADD | Action.UPDATE_NODE_TAINT),))


class _NodeUnschedulable(Filter):
    scope = Scope.NODE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """1 where the node is cordoned."""
        cordoned = snapshot.nodes.unschedulable[rows]
        if not cordoned.any() or tolerates(template.tolerations, TAINT):
            return None
        return cordoned.astype("int64")

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        return [REASON]
