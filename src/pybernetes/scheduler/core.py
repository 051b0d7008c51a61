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
from pybernetes.scheduler.preemption import refusal_beside
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Rng


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a pod goes, or why nowhere."""

    pod: Pod
    template: Template
    node_name: str = ""
    row: int = -1
    feasible: int = 0
    """How many nodes would have done."""
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
    """The best node for a pod, of equals any; the pod is assumed there."""
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
        totals = np.where(evaluation.feasible, evaluation.totals(), np.iinfo(np.int64).min)
        best = int(totals.max())
        equals = np.flatnonzero(totals == best)
        row = int(equals[rng.randrange(len(equals))])
    snapshot.assume(pod, template, row)
    return Decision(pod, template, snapshot.nodes.name(row), row, feasible, best)


def _respect(nominations: Nominations, snapshot: Snapshot, pod: Pod, evaluation: Evaluation) -> None:
    """Leave alone the room that others have made; take first what the pod has made itself."""
    template = evaluation.template
    for row, ahead in nominations.ahead_of(pod, template, snapshot).items():
        refused = refusal_beside(snapshot, template, row, ahead) if evaluation.feasible[row] else None
        if refused is not None:
            evaluation.exclude(row, *refused)
    own = snapshot.nodes.row_of.get(nominations.node_of(pod.metadata.uid))
    if own is not None and evaluation.feasible[own]:
        evaluation.only(own)


def schedule_many(
    snapshot: Snapshot, pods: Iterable[Pod], *, rng: Rng, evaluations: Evaluations | None = None
) -> Iterator[Decision]:
    """One decision after the other; the caller may stop in between, to let others have the processor."""
    evaluations = evaluations or Evaluations(snapshot)
    for pod in pods:
        yield schedule_one(snapshot, pod, evaluations=evaluations, rng=rng)
