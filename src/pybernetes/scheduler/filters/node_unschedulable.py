"""NodeUnschedulable: cordoned nodes take no new pods, unless the pod tolerates just that."""

from pybernetes.scheduler.nodematch import tolerates
from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) were unschedulable"
TAINT = ("node.kubernetes.io/unschedulable", "", "NoSchedule")


class NodeUnschedulable:
    """Looks at spec.unschedulable."""

    name = "NodeUnschedulable"
    scope = Scope.NODE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """1 where the node is cordoned."""
        cordoned = snapshot.nodes.unschedulable[rows]
        if not cordoned.any() or tolerates(template.tolerations, TAINT):
            return None
        return cordoned.astype("int64")

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One text."""
        return [REASON]

    def resolvable(self, template: Template, code: int) -> bool:
        """Pods have nothing to do with it."""
        return False
