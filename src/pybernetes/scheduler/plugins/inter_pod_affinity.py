"""InterPodAffinity: pods that must or would like to be near other pods, or away from them."""

import numpy as np

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.field import Errors, Path
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.podquery import PodQuery
from pybernetes.scheduler.points import Filter, Scope, Score
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.tally import Role
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows

_AFFINITY, _ANTI, _EXISTING = 1, 2, 3
REASONS = {
    _AFFINITY: "node(s) didn't match pod affinity rules",
    _ANTI: "node(s) didn't match pod anti-affinity rules",
    _EXISTING: "node(s) didn't satisfy existing pods anti-affinity rules",
}


class InterPodAffinityArgs(Args, frozen=True, kw_only=True):
    """Arguments of InterPodAffinity."""

    hard_pod_affinity_weight: int = 1
    """The score that a placed pod's required affinity for the new pod is worth, 0 to 100."""
    ignore_preferred_terms_of_existing_pods: bool = False
    """Leave pods without preferred terms unscored."""

    def validate(self, path: Path, errors: Errors) -> None:
        if not 0 <= self.hard_pod_affinity_weight <= 100:
            place = path / "hardPodAffinityWeight"
            errors.invalid(place, self.hard_pod_affinity_weight, "not in valid range [0, 100]")


def inter_pod_affinity(args: InterPodAffinityArgs, objects: Objects) -> Plugin:
    """Pods that come and go help, and namespaces whose labels change."""
    return Plugin(
        filter=_Filter(),
        score=_Score(args),
        interests=(
            Interest(Node, Action.ADD | Action.UPDATE_NODE_LABEL),
            Interest(Pod, Action.ADD | Action.UPDATE | Action.DELETE),
            Interest(Namespace, Action.ADD | Action.UPDATE | Action.DELETE),
        ),
        implied=frozenset({"preFilter", "preScore"}),
    )


class _Filter(Filter):
    """The required terms of the pod, and the required anti-affinity of pods that are placed."""

    scope = Scope.CLUSTER

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """Affinity counts before anti-affinity, and that before the anti-affinity of placed pods."""
        existing = snapshot.pods.terms_about(template, Role.ANTI)
        if not template.affinity and not template.anti_affinity and not existing:
            return None
        size = snapshot.nodes.size
        codes: Ints = np.zeros(size, np.int64)
        for term, tally in existing:
            codes[_occupied(snapshot, term.topology_key, tally.domains(term.topology_key))] = _EXISTING
        for term in template.anti_affinity:
            counts = snapshot.pods.tally(PodQuery((term.match,))).domains(term.topology_key)
            codes[_occupied(snapshot, term.topology_key, counts)] = _ANTI
        if template.affinity:
            codes[~_near(snapshot, template)] = _AFFINITY
        return codes[rows]

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        return [REASONS[code]]

    def resolvable(self, template: Template, code: int) -> bool:
        """Removing pods can satisfy anti-affinity, never affinity."""
        return code != _AFFINITY


def _occupied(snapshot: Snapshot, key: str, counts: Ints) -> Mask:
    """The nodes in domains where the count is not 0."""
    table: Mask = counts > 0
    mask: Mask = table[snapshot.nodes.column(key).codes[: snapshot.nodes.size]]
    return mask


def _near(snapshot: Snapshot, template: Template) -> Mask:
    """The nodes with a pod in the domain of each term. A pod counts if it meets all the terms.

    The first of a group of pods that want to be near each other would never find a node. So where no pod meets the
    terms anywhere and the pod itself does, every node that has the keys passes.
    """
    tally = snapshot.pods.tally(PodQuery(tuple(term.match for term in template.affinity)))
    size = snapshot.nodes.size
    near: Mask = np.ones(size, np.bool_)
    labelled: Mask = np.ones(size, np.bool_)
    anywhere = False
    for key in dict.fromkeys(term.topology_key for term in template.affinity):
        counts = tally.domains(key)
        anywhere = anywhere or bool(tally.total and counts.any())
        near &= _occupied(snapshot, key, counts)
        labelled &= snapshot.nodes.column(key).codes[:size] != 0
    if not anywhere and _meets_own_terms(snapshot, template):
        return labelled
    return near


def _meets_own_terms(snapshot: Snapshot, template: Template) -> bool:
    known = snapshot.pods.namespaces
    return all(term.match.matches(template.namespace, template.labels, known) for term in template.affinity)


class _Score(Score):
    """Each pod in a node's domain that a term selects adds the term's weight."""

    scope = Scope.CLUSTER
    relative = True

    def __init__(self, args: InterPodAffinityArgs) -> None:
        self._hard_weight = args.hard_pod_affinity_weight
        self._own_terms_only = args.ignore_preferred_terms_of_existing_pods

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """The sum of the weights, which may be negative."""
        if self._own_terms_only and not template.preferred_pods:
            return None
        pods = snapshot.pods
        weighted = [(t.weight, t.topology_key, pods.tally(PodQuery((t.match,)))) for t in template.preferred_pods]
        weighted += [(t.weight, t.topology_key, tally) for t, tally in pods.terms_about(template, Role.PREFERRED)]
        if self._hard_weight:
            required = pods.terms_about(template, Role.REQUIRED)
            weighted += [(self._hard_weight, t.topology_key, tally) for t, tally in required]
        if not weighted:
            return None
        nodes = snapshot.nodes
        total: Ints = np.zeros(nodes.size, np.int64)
        for weight, key, tally in weighted:
            if tally.total:
                total += (tally.domains(key) * weight)[nodes.column(key).codes[nodes.rows]]
        return total

    def normalize(self, raw: Ints, feasible: Mask) -> Ints:
        """The lowest is 0, the highest 100; where all are equal, all are 0."""
        if not feasible.any():
            return np.zeros(len(raw), np.int64)
        big = np.iinfo(np.int64).max
        low = int(np.min(raw, where=feasible, initial=big))
        high = int(np.max(raw, where=feasible, initial=-big))
        if high == low:
            return np.zeros(len(raw), np.int64)
        scaled: Ints = (float(MAX_SCORE) * ((raw - low) / (high - low))).astype(np.int64)
        return scaled
