"""Why a pod is on its node, or on none: per node, the filter that refused it, or what each score gave."""

from dataclasses import dataclass, field

from pybernetes.scheduler.evaluation import Evaluation
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template


@dataclass(frozen=True, slots=True)
class Verdict:
    """About one node."""

    node: str
    refused_by: str = ""
    """The name of the plugin that refused it; empty if the pod may run there."""
    reasons: tuple[str, ...] = ()
    scores: dict[str, int] = field(default_factory=dict)
    """Plugin -> normalised score times weight."""

    @property
    def total(self) -> int:
        """The sum that nodes are ranked by."""
        return sum(self.scores.values())


def explain(snapshot: Snapshot, profile: Profile, template: Template) -> list[Verdict]:
    """A verdict per node: the best first, then the refused ones by name."""
    evaluation = Evaluation(snapshot, profile, template)
    evaluation.refresh()
    table = evaluation.score_table()
    verdicts = []
    for name, row in snapshot.nodes.row_of.items():
        refusal = evaluation.refusal(row)
        if refusal is None:
            scores = {plugin: int(scores[row]) for plugin, scores in table.items()}
            verdicts.append(Verdict(name, scores=scores))
        else:
            verdicts.append(Verdict(name, refusal.plugin, tuple(refusal.reasons)))
    return sorted(verdicts, key=lambda verdict: (bool(verdict.refused_by), -verdict.total, verdict.node))
