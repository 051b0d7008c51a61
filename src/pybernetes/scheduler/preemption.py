"""Which lower-priority pods to remove so that a pod fits, with as little disruption as possible.

For each node where removing pods could help: remove all pods of lower priority, see whether the pod fits, then put
back as many as possible, the most important first. Those left out are the node's victims. The choice among nodes is
kube-scheduler's: the least important victims, then the smallest sum of priorities, the fewest, the most recently
started. Disruption budgets are not considered yet.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from pybernetes.scheduler.evaluation import Refusal, refusal_now
from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.handle import NamedFilter
from pybernetes.scheduler.nominations import Nomination
from pybernetes.scheduler.points import Scope
from pybernetes.scheduler.snapshot import Placed, Snapshot
from pybernetes.scheduler.template import Template

_OFFSET = 1 << 31
"""Added to each priority in sums, so that more victims are never better than fewer."""

Filters = tuple[NamedFilter, ...]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, and the pods that would have to be removed, the most important first."""

    node_name: str
    victims: tuple[Placed, ...]

    def disruption(self) -> tuple[object, ...]:
        """Sorts the best candidate first."""
        top = self.victims[0].template.priority
        earliest = min(_started(victim) for victim in self.victims if victim.template.priority == top)
        return (
            top,
            sum(victim.template.priority + _OFFSET for victim in self.victims),
            len(self.victims),
            tuple(-ord(letter) for letter in earliest),
        )


@dataclass(slots=True)
class Preemption:
    """The result of the search: the best candidate, or why each node with removable pods would still not fit."""

    candidate: Candidate | None
    reasons: Counter[str]
    tried: int
    """How many nodes had pods to remove and would still not fit: the number of nodes behind `reasons`."""


def preempt(
    snapshot: Snapshot,
    filters: Filters,
    template: Template,
    failure: FitFailure,
    enough: Callable[[int], bool],
    offset: int = 0,
) -> Preemption:
    """Search the nodes in `failure.resolvable_rows` for candidates.

    Starts at `offset`, wraps around, and stops when `enough(number of candidates)` is true. The snapshot ends as it
    was. Where many nodes fit, a few candidates are as good as all; where none does, all nodes are tried.
    """
    reasons: Counter[str] = Counter()
    found: list[Candidate] = []
    nodes_tried = 0
    if any(priority < template.priority for priority in snapshot.priorities):
        start = offset % max(len(failure.resolvable_rows), 1)
        for row in (*failure.resolvable_rows[start:], *failure.resolvable_rows[:start]):
            outcome = _on_node(snapshot, filters, template, row)
            if isinstance(outcome, Candidate):
                found.append(outcome)
                if enough(len(found)):
                    break
            elif outcome:
                nodes_tried += 1
                reasons.update(outcome)
    return Preemption(min(found, key=Candidate.disruption, default=None), reasons, nodes_tried)


def _on_node(snapshot: Snapshot, filters: Filters, template: Template, row: int) -> Candidate | list[str]:
    """The victims on one node, or why it would still not fit (an empty list: there are no pods to remove)."""
    name = snapshot.nodes.name(row)
    lesser = [p for p in snapshot.on_node.get(name, {}).values() if p.template.priority < template.priority]
    if not lesser:
        return []
    reasons = _reasons_after_removal(snapshot, filters, template, row, lesser)
    if reasons:
        return reasons
    lesser.sort(key=_importance)
    for placed in lesser:
        snapshot.remove_pod(placed.pod.metadata.uid)
    refused = refusal_now(snapshot, filters, template, row)
    victims = []
    for placed in lesser:
        snapshot.restore(placed)
        if refused is None and refusal_now(snapshot, filters, template, row) is not None:
            snapshot.remove_pod(placed.pod.metadata.uid)
            victims.append(placed)
    for placed in victims:
        snapshot.restore(placed)
    return refused.reasons if refused is not None else Candidate(name, tuple(victims))


def _reasons_after_removal(
    snapshot: Snapshot, filters: Filters, template: Template, row: int, leaving: list[Placed]
) -> list[str]:
    """What the filters would still refuse, as far as they can tell before any pod is removed."""
    for named in filters:
        if named.filter.scope is Scope.NODE:
            # The node has passed it: it would not be resolvable otherwise.
            continue
        reasons = named.filter.after_removal(snapshot, template, row, leaving)
        if reasons is None:
            return []
        if reasons:
            return reasons
    return []


def refusal_with(
    snapshot: Snapshot, filters: Filters, template: Template, row: int, others: Iterable[Nomination]
) -> Refusal | None:
    """What would refuse a pod on a node once the pods nominated for it are there."""
    put = []
    for other in others:
        snapshot.assume(other.pod, other.template, row)
        put.append(other.pod.metadata.uid)
    found = refusal_now(snapshot, filters, template, row)
    for uid in put:
        snapshot.remove_pod(uid)
    return found


def _importance(placed: Placed) -> tuple[int, str]:
    return -placed.template.priority, _started(placed)


def _started(placed: Placed) -> str:
    """RFC 3339 in UTC sorts as text; a pod that has not started is the most recent."""
    return placed.pod.status.start_time or "9999"
