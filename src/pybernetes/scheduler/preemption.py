"""DefaultPreemption: which less important pods to remove so that a pod finds room, disturbing as little as possible.

For each node where the removal of pods could help: take all less important pods away, see whether the pod fits, then
put back as many as still leave room, the most important first. Those left out are the node's victims. The choice among
nodes is the original's: the least important victims, then the smallest sum, the fewest, the most recently started.
Disruption budgets are not looked at: their API is not served yet.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.filters.node_resources_fit import ordered
from pybernetes.scheduler.nominations import Nomination
from pybernetes.scheduler.plugin import Filter
from pybernetes.scheduler.plugins import FILTERS
from pybernetes.scheduler.snapshot import Placed, Snapshot
from pybernetes.scheduler.template import Template

_OFFSET = 1 << 31
"""Added to each priority in sums, so that more victims are never better than fewer."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node, and the pods that would have to go, the most important first."""

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
    """What came of looking: the best candidate, or what each node with removable pods said."""

    candidate: Candidate | None
    reasons: Counter[str]
    tried: int
    """How many nodes had pods to remove, in vain: what `reasons` is about."""


def preempt(
    snapshot: Snapshot, template: Template, failure: FitFailure, enough: Callable[[int], bool], offset: int = 0
) -> Preemption:
    """Look at the hopeful nodes from `offset` on, round, until `enough(candidates found)`. The snapshot ends as it was.

    Where many nodes fit, some of them are as good as all; where none does, all are looked at.
    """
    reasons: Counter[str] = Counter()
    found: list[Candidate] = []
    nodes_tried = 0
    if any(priority < template.priority for priority in snapshot.priorities):
        start = offset % max(len(failure.hopeful), 1)
        for row in (*failure.hopeful[start:], *failure.hopeful[:start]):
            outcome = _on_node(snapshot, template, row)
            if isinstance(outcome, Candidate):
                found.append(outcome)
                if enough(len(found)):
                    break
            elif outcome:
                nodes_tried += 1
                reasons.update(outcome)
    return Preemption(min(found, key=Candidate.disruption, default=None), reasons, nodes_tried)


def _on_node(snapshot: Snapshot, template: Template, row: int) -> Candidate | list[str]:
    """The victims on one node, or why there is no point (an empty list: there is nobody to remove)."""
    name = snapshot.nodes.name(row)
    lesser = [p for p in snapshot.on_node.get(name, {}).values() if p.template.priority < template.priority]
    if not lesser:
        return []
    reasons = [] if template.host_ports else _still_short(snapshot, template, row, lesser)
    if reasons:
        return reasons
    lesser.sort(key=_importance)
    for placed in lesser:
        snapshot.remove_pod(placed.pod.metadata.uid)
    refused = refusal(snapshot, template, row)
    victims = []
    for placed in lesser:
        snapshot.restore(placed)
        if refused is None and refusal(snapshot, template, row) is not None:
            snapshot.remove_pod(placed.pod.metadata.uid)
            victims.append(placed)
    for placed in victims:
        snapshot.restore(placed)
    if refused is not None:
        plugin, code = refused
        return plugin.reasons(snapshot, template, code)
    return Candidate(name, tuple(victims))


def _still_short(snapshot: Snapshot, template: Template, row: int, lesser: list[Placed]) -> list[str]:
    """What NodeResourcesFit would miss with all of `lesser` gone: told by adding up, before any pod is moved."""
    room = int(snapshot.nodes.pods_allowed[row] - snapshot.pod_count[row]) + len(lesser)
    reasons = ["Too many pods"] if room <= 0 else []
    for name in ordered(template):
        index = snapshot.resource(name)
        free = int(snapshot.nodes.allocatable[index, row] - snapshot.requested[index, row])
        if free + sum(p.template.requests.get(name, 0) for p in lesser) < template.requests[name]:
            reasons.append(f"Insufficient {name}")
    return reasons


def refusal(snapshot: Snapshot, template: Template, row: int) -> tuple[Filter, int] | None:
    """The filter by which a node would refuse a pod just now, and its code."""
    rows = np.array([row], np.intp)
    for plugin in FILTERS:
        codes = plugin.codes(snapshot, template, rows)
        if codes is not None and codes[0]:
            return plugin, int(codes[0])
    return None


def refusal_beside(
    snapshot: Snapshot, template: Template, row: int, others: Iterable[Nomination]
) -> tuple[Filter, int] | None:
    """The same, once those are there that have made room on the node."""
    put = []
    for other in others:
        snapshot.assume(other.pod, other.template, row)
        put.append(other.pod.metadata.uid)
    found = refusal(snapshot, template, row)
    for uid in put:
        snapshot.remove_pod(uid)
    return found


def _importance(placed: Placed) -> tuple[int, str]:
    return -placed.template.priority, _started(placed)


def _started(placed: Placed) -> str:
    """RFC 3339 in UTC sorts as text; a pod that has not started is the most recent."""
    return placed.pod.status.start_time or "9999"
