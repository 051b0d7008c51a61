"""Nominated pods: preemption is making room for them on a node, which pods of lower priority must not use."""

from collections.abc import Iterator
from dataclasses import dataclass

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template


@dataclass(frozen=True, slots=True)
class Nomination:
    """A pod and the node that it is nominated for."""

    pod: Pod
    template: Template
    node_name: str


class Nominations:
    """The nominations, by pod uid."""

    def __init__(self) -> None:
        self._known: dict[str, Nomination] = {}

    def put(self, pod: Pod, template: Template, node_name: str) -> None:
        """Nominate a pod for a node."""
        self._known[pod.metadata.uid] = Nomination(pod, template, node_name)

    def remove(self, uid: str) -> Nomination | None:
        """Forget the nomination of a pod."""
        return self._known.pop(uid, None)

    def node_of(self, uid: str) -> str:
        """The node that a pod is nominated for, or ""."""
        found = self._known.get(uid)
        return found.node_name if found else ""

    def ahead_of(self, pod: Pod, template: Template, snapshot: Snapshot) -> dict[int, list[Nomination]]:
        """By row, the nominations that a pod must respect: those of pods with the same or a higher priority."""
        rows: dict[int, list[Nomination]] = {}
        for uid, nomination in self._known.items():
            row = snapshot.nodes.row_of.get(nomination.node_name)
            if row is None or uid == pod.metadata.uid or uid in snapshot.placed:
                continue
            if nomination.template.priority >= template.priority:
                rows.setdefault(row, []).append(nomination)
        return rows

    def behind(self, node_name: str, priority: int) -> list[Nomination]:
        """The nominations of lower priority on a node; a pod of higher priority that preempts there replaces them."""
        return [n for n in self._known.values() if n.node_name == node_name and n.template.priority < priority]

    def __iter__(self) -> Iterator[Nomination]:
        return iter(self._known.values())

    def __len__(self) -> int:
        return len(self._known)
