"""NodePorts: two pods can't have the same host port on one node."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

REASON = "node(s) didn't have free ports for the requested pod ports"


class NodePorts:
    """Address, protocol and port; 0.0.0.0 conflicts with every address."""

    name = "NodePorts"
    scope = Scope.USAGE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """1 where a port is taken."""
        if not template.host_ports:
            return None
        codes: Ints = np.zeros(snapshot.nodes.size, np.int64)
        codes[list(snapshot.ports.conflicts(template.host_ports))] = 1
        return codes[rows]

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One text."""
        return [REASON]

    def resolvable(self, template: Template, code: int) -> bool:
        """The pod that has the port could go."""
        return True
