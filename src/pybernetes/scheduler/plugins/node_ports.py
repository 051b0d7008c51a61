"""NodePorts: two pods cannot have the same host port on one node."""

from collections.abc import Sequence

import numpy as np

from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Filter, Scope
from pybernetes.scheduler.snapshot import Placed, Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) didn't have free ports for the requested pod ports"


def node_ports(args: Args, objects: Objects) -> Plugin:
    """Address, protocol and port must be free; 0.0.0.0 conflicts with every address."""
    return Plugin(
        filter=_NodePorts(),
        interests=(Interest(Node, Action.ADD), Interest(Pod, Action.DELETE)),
        implied=frozenset({"preFilter"}),
    )


class _NodePorts(Filter):
    scope = Scope.USAGE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """1 where a port is taken."""
        if not template.host_ports:
            return None
        codes: Ints = np.zeros(snapshot.nodes.size, np.int64)
        codes[list(snapshot.ports.conflicts(template.host_ports))] = 1
        return codes[rows]

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        return [REASON]

    def resolvable(self, template: Template, code: int) -> bool:
        return True

    def after_removal(
        self, snapshot: Snapshot, template: Template, row: int, leaving: Sequence[Placed]
    ) -> list[str] | None:
        return None if template.host_ports else []
