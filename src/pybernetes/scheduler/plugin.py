"""What a plugin is: a filter refuses nodes, a score ranks them. Both answer for many nodes at once."""

from enum import Enum
from typing import Protocol

from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows


class Scope(Enum):
    """What a plugin's answer for a node depends on, and so when it must be asked again."""

    NODE = "the node itself"
    USAGE = "the node and the pods on it"
    CLUSTER = "pods anywhere"


class Filter(Protocol):
    """Refuses nodes that a pod can't run on."""

    name: str
    scope: Scope

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """One code per row, 0 where the pod may run; None if nothing is refused."""

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """What a code means, in the original's words."""

    def resolvable(self, template: Template, code: int) -> bool:
        """Whether the removal of pods could make the node fit."""


class Score(Protocol):
    """Ranks nodes: more is better, after normalisation 0 to 100."""

    name: str
    weight: int
    scope: Scope
    relative: bool
    """Whether normalisation depends on the other nodes; else raw numbers are final."""

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """One number per row; None if the plugin has nothing to say. `feasible` (all rows) matters to CLUSTER only."""

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """Raw numbers of all rows to 0..100, by their range over the feasible nodes."""
