"""The extension points of one scheduling decision: what a plugin may do while a node is chosen.

These contracts are pure: they see the snapshot and the pod's template, and do no I/O. Filters and scores answer for
many nodes at once, as arrays with one element per row.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.snapshot import Placed, Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows


class Scope(Enum):
    """What an answer about a node depends on, and so when the plugin is asked again."""

    NODE = "the node itself"
    USAGE = "the node, and the pods on it"
    CLUSTER = "anything else: pods on other nodes, other objects. Asked for every pod"


PreEnqueue = Callable[[Pod], str]
"""Why a pod must not be scheduled yet; "" if it may be. Asked when the pod appears or changes."""

QueueSort = Callable[[Template, float], Any]
"""A sort key for a pod and the time (in seconds) at which it was queued; the pod with the least key comes first."""


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Only the nodes with these names can run the pod."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Rejected:
    """No node can run the pod, for a reason that concerns the pod itself."""

    reason: str
    resolvable: bool = False
    """Whether removing pods (preemption) could help."""


PreFilter = Callable[[Snapshot, Template], Narrowed | Rejected | None]
"""Looks at a pod before any node. Asked for every pod, so it must be cheap. None: no objection."""


class Filter(Protocol):
    """Refuses nodes that a pod cannot run on."""

    scope: Scope

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """One code per row, 0 where the pod may run; None if nothing is refused."""

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """What a code means, in the words of kube-scheduler."""

    def resolvable(self, template: Template, code: int) -> bool:
        """Whether removing pods could make the node fit."""
        return False

    def after_removal(
        self, snapshot: Snapshot, template: Template, row: int, leaving: Sequence[Placed]
    ) -> list[str] | None:
        """A shortcut for preemption: the reasons that would remain if the pods `leaving` were removed from the node.

        Empty if the node would pass this filter. None if that cannot be computed without removing the pods.
        """
        return None


class Score(Protocol):
    """Ranks nodes: after normalisation 0 to 100, more is better."""

    scope: Scope
    relative: bool
    """Whether normalisation depends on the other nodes. If not, raw scores are final, and `normalize` is not called."""

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """One score per row; None to leave this pod out (what PreScore's Skip does in kube-scheduler).

        `feasible` marks the nodes that passed all filters (all rows); it is only meaningful with scope CLUSTER.
        """

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """Raw scores of all rows scaled to 0..100 over the feasible nodes."""
        return raw
