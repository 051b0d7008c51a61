"""The cluster as the scheduler sees it: arrays over nodes, changed one event at a time.

A pod that was placed is *assumed*: it counts at once, before the API server has confirmed the binding.
A journal records which rows each event changes, so that results computed per row are computed again for these rows
only.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.columns import grown
from pybernetes.scheduler.eligibility import EligibleNodes
from pybernetes.scheduler.nodes import NodeTable
from pybernetes.scheduler.ports import UsedPorts
from pybernetes.scheduler.tally import PodIndex
from pybernetes.scheduler.template import Template, Templates, Traits

_JOURNAL = 16_384


def is_terminal(pod: Pod) -> bool:
    """Whether a pod has ended, and so uses no resources."""
    return pod.status.phase in ("Succeeded", "Failed")


@dataclass(slots=True, eq=False)
class Placed:
    """A pod on a node. `row` is None while the node is unknown."""

    pod: Pod
    template: Template
    node_name: str
    row: int | None
    terminating: bool
    assumed: bool


@dataclass(slots=True, frozen=True)
class Changes:
    """The rows that changed since a position of the journal: by pods on the node, or in the node itself."""

    usage: set[int]
    node: set[int]


class Snapshot:
    """Nodes and what is placed on them. Not thread-safe, does no I/O."""

    def __init__(self, *, traits: Mapping[str, Traits] = {}) -> None:
        self.templates = Templates(traits)
        self.nodes = NodeTable()
        self.pods = PodIndex(self.nodes)
        self.ports = UsedPorts()
        self.eligible = EligibleNodes(self.nodes)
        self.objects_version = 0
        """Increases when an object changes that a plugin looks at, other than nodes, pods and namespaces."""
        self.pod_count = np.zeros(self.nodes.capacity, np.int64)
        self.requested = np.zeros((3, self.nodes.capacity), np.int64)
        self.non_zero = np.zeros((2, self.nodes.capacity), np.int64)
        """Requested CPU and memory, with assumed amounts for containers without requests (`NON_ZERO`)."""
        self.placed: dict[str, Placed] = {}
        """Placed pods by uid."""
        self.on_node: dict[str, dict[str, Placed]] = {}
        """Placed pods by node name and uid, including those of unknown nodes."""
        self.priorities: Counter[int] = Counter()
        """The number of placed pods per priority; without a lower one preemption has nothing to do."""
        self.epoch = 0
        """Increases when something changes that concerns every row."""
        self._journal: list[tuple[int, bool]] = []
        self._journal_start = 0

    # --- nodes

    def put_node(self, node: Node) -> int:
        """Add or change a node; pods that were bound to it while it was unknown now count."""
        old_row = self.nodes.row_of.get(node.metadata.name)
        old = self.nodes.nodes[old_row] if old_row is not None else None
        row = self.nodes.put(node)
        self._make_room()
        self._note(row, node=True)
        if old is not None and old.status.images != node.status.images:
            self.epoch += 1
        if old is None:
            self.epoch += 1
            for placed in self.on_node.get(node.metadata.name, {}).values():
                self._count(placed, row)
        return row

    def remove_node(self, name: str) -> None:
        """Remove a node; its pods are kept, in case it returns."""
        row = self.nodes.row_of.get(name)
        if row is None:
            return
        for placed in self.on_node.get(name, {}).values():
            self._uncount(placed)
        self.nodes.remove(name)
        self._note(row, node=True)
        self.epoch += 1

    # --- pods

    def assume(self, pod: Pod, template: Template, row: int) -> None:
        """Count a pod on the node that was chosen for it."""
        self._place(pod, template, self.nodes.name(row), assumed=True)

    def put_pod(self, pod: Pod) -> None:
        """Add or change a pod that is bound to a node; one that has ended is removed."""
        if is_terminal(pod):
            self.remove_pod(pod.metadata.uid)
            return
        template = self.templates.of(pod)
        known = self.placed.get(pod.metadata.uid)
        if known is not None:
            terminating = bool(pod.metadata.deletion_timestamp)
            same = known.template is template and known.node_name == pod.spec.node_name
            if same and known.terminating == terminating:
                known.pod, known.assumed = pod, False
                return
            self.remove_pod(pod.metadata.uid)
        self._place(pod, template, pod.spec.node_name, assumed=False)

    def remove_pod(self, uid: str) -> Placed | None:
        """Remove a pod that was deleted, has ended, or could not be bound. Returns it."""
        placed = self.placed.pop(uid, None)
        if placed is None:
            return None
        self._uncount(placed)
        self.priorities[placed.template.priority] -= 1
        if not self.priorities[placed.template.priority]:
            del self.priorities[placed.template.priority]
        mates = self.on_node[placed.node_name]
        del mates[uid]
        if not mates:
            del self.on_node[placed.node_name]
        return placed

    def restore(self, placed: Placed) -> None:
        """Put back a pod that `remove_pod` returned."""
        self._enter(placed)

    def forget(self, uid: str) -> None:
        """Remove a pod that is assumed; one that the API server has confirmed stays."""
        placed = self.placed.get(uid)
        if placed is not None and placed.assumed:
            self.remove_pod(uid)

    # --- the journal

    @property
    def position(self) -> int:
        """The end of the journal."""
        return self._journal_start + len(self._journal)

    def changes_since(self, position: int) -> Changes | None:
        """The rows that changed after a position; None if the journal no longer goes back that far."""
        if position < self._journal_start:
            return None
        usage: set[int] = set()
        nodes: set[int] = set()
        for row, node in self._journal[position - self._journal_start :]:
            (nodes if node else usage).add(row)
        return Changes(usage - nodes, nodes)

    def objects_changed(self) -> None:
        """An object that a plugin looks at has changed: what plugins derived from such objects is out of date."""
        self.objects_version += 1

    def _note(self, row: int, *, node: bool) -> None:
        self._journal.append((row, node))
        if len(self._journal) > 2 * _JOURNAL:
            del self._journal[:_JOURNAL]
            self._journal_start += _JOURNAL

    # --- counting

    def _place(self, pod: Pod, template: Template, node_name: str, *, assumed: bool) -> None:
        terminating = bool(pod.metadata.deletion_timestamp)
        self._enter(Placed(pod, template, node_name, None, terminating, assumed))

    def _enter(self, placed: Placed) -> None:
        uid, node_name = placed.pod.metadata.uid, placed.node_name
        self.placed[uid] = placed
        self.priorities[placed.template.priority] += 1
        self.on_node.setdefault(node_name, {})[uid] = placed
        row = self.nodes.row_of.get(node_name)
        if row is not None:
            self._count(placed, row)

    def _count(self, placed: Placed, row: int) -> None:
        placed.row = row
        self._change(placed, row, 1)

    def _uncount(self, placed: Placed) -> None:
        if placed.row is not None:
            self._change(placed, placed.row, -1)
            placed.row = None

    def _change(self, placed: Placed, row: int, sign: int) -> None:
        template = placed.template
        indexes = [(self.resource(name), amount) for name, amount in template.requests.items()]
        for index, amount in indexes:
            self.requested[index, row] += sign * amount
        self.pod_count[row] += sign
        self.non_zero[0, row] += sign * template.non_zero[0]
        self.non_zero[1, row] += sign * template.non_zero[1]
        if template.host_ports:
            self.ports.add(template.host_ports, row, sign)
        self.pods.add(template, placed.terminating, row, sign)
        self._note(row, node=False)

    def resource(self, name: str) -> int:
        """The index of a resource in `nodes.allocatable` and `requested`."""
        index = self.nodes.resource(name)
        if index >= len(self.requested):
            self._make_room()
        return index

    def _make_room(self) -> None:
        count, capacity = len(self.nodes.resources), self.nodes.capacity
        if self.pod_count.shape[0] < capacity:
            self.pod_count = grown(self.pod_count, capacity)
            self.requested = grown(self.requested, capacity)
            self.non_zero = grown(self.non_zero, capacity)
        if len(self.requested) < count:
            more = np.zeros((count - len(self.requested), capacity), np.int64)
            self.requested = np.vstack([self.requested, more])
