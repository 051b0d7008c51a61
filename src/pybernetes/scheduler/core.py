"""Placing pods, without any I/O: a snapshot and pods in, decisions out.

Each placed pod is assumed in the snapshot at once, so the next one sees it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.evaluation import Evaluation, Evaluations
from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.preemption import refusal_with
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Rng

_LOWEST = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class Decision:
    """The node that a pod goes to, or why there is none."""

    pod: Pod
    template: Template
    node_name: str = ""
    row: int = -1
    feasible: int = 0
    """How many nodes passed all filters."""
    score: int = 0
    failure: FitFailure | None = None


def schedule_one(
    snapshot: Snapshot,
    pod: Pod,
    *,
    evaluations: Evaluations,
    rng: Rng,
    template: Template | None = None,
    nominations: Nominations | None = None,
) -> Decision:
    """The best node for a pod, chosen at random among equals; the pod is assumed there."""
    template = template or snapshot.templates.of(pod)
    evaluation = evaluations.of(template)
    if nominations:
        _respect(nominations, snapshot, pod, evaluation)
    feasible = int(np.count_nonzero(evaluation.feasible))
    if not feasible:
        return Decision(pod, template, failure=evaluation.failure())
    if feasible == 1:
        row, best = int(evaluation.feasible.argmax()), 0
    else:
        totals = np.where(evaluation.feasible, evaluation.totals(), _LOWEST)
        best = int(totals.max())
        equals = np.flatnonzero(totals == best)
        row = int(equals[rng.randrange(len(equals))])
    snapshot.assume(pod, template, row)
    return Decision(pod, template, snapshot.nodes.name(row), row, feasible, best)


def _respect(nominations: Nominations, snapshot: Snapshot, pod: Pod, evaluation: Evaluation) -> None:
    """Leave room for the pods nominated for a node; send a nominated pod to its own node."""
    template, filters = evaluation.template, evaluation.profile.filters
    for row, ahead in nominations.ahead_of(pod, template, snapshot).items():
        refusal = refusal_with(snapshot, filters, template, row, ahead) if evaluation.feasible[row] else None
        if refusal is not None:
            evaluation.exclude(row, refusal)
    own = snapshot.nodes.row_of.get(nominations.node_of(pod.metadata.uid))
    if own is not None and evaluation.feasible[own]:
        evaluation.only(own)


def schedule_many(snapshot: Snapshot, pods: Iterable[Pod], *, evaluations: Evaluations, rng: Rng) -> Iterator[Decision]:
    """One decision after the other; the caller may stop in between to yield the processor."""
    for pod in pods:
        yield schedule_one(snapshot, pod, evaluations=evaluations, rng=rng)
