"""NodeResourcesFit: what the pod requests must be free on the node, and the node must have room for a pod."""

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

TOO_MANY_PODS = 1
_NEVER = 1 << 62
"""Set where the node would be too small even when empty."""
_FIRST = ("cpu", "memory", "ephemeral-storage")


def ordered(template: Template) -> list[str]:
    """The requested resources, in the order in which they are named to the user. Bit i+1 of a code is the i-th."""
    return [name for name in _FIRST if name in template.requests] + [n for n in template.requests if n not in _FIRST]


class NodeResourcesFit:
    """A code is a set of bits, one for each resource that is short."""

    name = "NodeResourcesFit"
    scope = Scope.USAGE

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """Not 0 where something is short."""
        indexes = [(snapshot.resource(name), template.requests[name]) for name in ordered(template)]
        count, allowed = snapshot.pod_count[rows], snapshot.nodes.pods_allowed[rows]
        codes: Ints = (count >= allowed).astype(np.int64)
        never: Ints | None = None
        for bit, (index, wanted) in enumerate(indexes, start=1):
            allocatable = snapshot.nodes.allocatable[index, rows]
            short = allocatable - snapshot.requested[index, rows] < wanted
            if short.any():
                codes |= short.astype(np.int64) << bit
                too_small = (allocatable < wanted).astype(np.int64)
                never = too_small if never is None else never | too_small
        return codes if never is None else codes | (never * _NEVER)

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One text per resource that is short."""
        found = ["Too many pods"] if code & TOO_MANY_PODS else []
        found += [f"Insufficient {name}" for bit, name in enumerate(ordered(template), start=1) if code >> bit & 1]
        return found

    def resolvable(self, template: Template, code: int) -> bool:
        """Unless the node is too small altogether."""
        return not code & _NEVER
