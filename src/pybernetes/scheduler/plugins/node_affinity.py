"""NodeAffinity: nodeSelector and node affinity of the pod, and affinity that the profile adds to every pod."""

import numpy as np

from pybernetes.api.core.affinity import Affinity, NodeSelector, PreferredSchedulingTerm
from pybernetes.api.core.affinity import NodeAffinity as ApiNodeAffinity
from pybernetes.api.core.node import Node
from pybernetes.api.core.placement_validation import validate_affinity
from pybernetes.api.field import Errors, Path
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.nodematch import pinned_names, required_mask, selector_mask, term_mask
from pybernetes.scheduler.normalize import by_maximum
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Filter, Narrowed, Rejected, Scope, Score
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows

REASON = "node(s) didn't match Pod's node affinity/selector"
REASON_ENFORCED = "node(s) didn't match scheduler-enforced node affinity"
REASON_CONFLICT = "pod affinity terms conflict"
_POD, _ENFORCED = 1, 2


class NodeAffinityArgs(Args, frozen=True, kw_only=True):
    """Arguments of NodeAffinity."""

    added_affinity: ApiNodeAffinity | None = None
    """Node affinity that every pod of the profile gets in addition to its own."""

    def validate(self, path: Path, errors: Errors) -> None:
        found = Errors()
        validate_affinity(Affinity(node_affinity=self.added_affinity), Path(""), found)
        for error in found.items:
            place = path / error.path.replace("nodeAffinity", "addedAffinity", 1)
            errors.items.append(type(error)(place, error.reason, error.message))


def node_affinity(args: NodeAffinityArgs, objects: Objects) -> Plugin:
    """Changed labels help."""
    added = args.added_affinity or ApiNodeAffinity()
    return Plugin(
        pre_filter=_pinned,
        filter=_Filter(added.required_during_scheduling_ignored_during_execution),
        score=_Score(tuple(added.preferred_during_scheduling_ignored_during_execution)),
        interests=(Interest(Node, Action.ADD | Action.UPDATE_NODE_LABEL),),
        implied=frozenset({"preScore"}),
    )


def _pinned(snapshot: Snapshot, template: Template) -> Narrowed | Rejected | None:
    """Affinity by node name, as pods of a DaemonSet have it, leaves only the named nodes."""
    names = pinned_names(template)
    if names is None:
        return None
    return Narrowed(frozenset(names)) if names else Rejected(REASON_CONFLICT)


class _Filter(Filter):
    """All of nodeSelector, and one of the terms of required node affinity."""

    scope = Scope.NODE

    def __init__(self, added: NodeSelector | None) -> None:
        self._added = added

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """Not 0 where the node's labels don't match."""
        mask = required_mask(snapshot.nodes, template, rows)
        codes = None if mask is None else (~mask).astype(np.int64)
        if self._added is not None:
            enforced = selector_mask(snapshot.nodes, self._added, rows)
            codes = np.where(enforced, 0 if codes is None else codes, _ENFORCED).astype(np.int64)
        return codes

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        return [REASON if code == _POD else REASON_ENFORCED]


class _Score(Score):
    """The weights of the preferred terms that a node meets."""

    scope = Scope.NODE
    relative = True

    def __init__(self, added: tuple[PreferredSchedulingTerm, ...]) -> None:
        self._added = added

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """The sum of the weights."""
        terms = (*self._added, *template.preferred_nodes)
        if not terms:
            return None
        nodes = snapshot.nodes
        total: Ints = np.zeros(len(nodes.valid[rows]), np.int64)
        for preferred in terms:
            total += preferred.weight * term_mask(nodes, preferred.preference, rows)
        return total

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """The highest is 100."""
        return by_maximum(raw, feasible)
