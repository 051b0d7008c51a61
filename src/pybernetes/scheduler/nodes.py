"""The nodes of the cluster as arrays: their own properties, not the pods on them."""

import numpy as np

from pybernetes.api.core.node import Node
from pybernetes.scheduler.columns import Column, grown
from pybernetes.scheduler.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, amount

TaintKey = tuple[str, str, str]
"""(key, value, effect)"""

NAME_FIELD = "\0metadata.name"
"""The column of node names, for affinity by matchFields. No label can have this key."""


def same_for_scheduling(old: Node, new: Node) -> bool:
    """Whether a change of a node does not matter to scheduling. Most changes are heartbeats, so this must be cheap."""
    return (
        old.metadata.labels == new.metadata.labels
        and old.status.allocatable == new.status.allocatable
        and old.spec.unschedulable == new.spec.unschedulable
        and _taints(old) == _taints(new)
        and old.status.images == new.status.images
    )


def _taints(node: Node) -> tuple[TaintKey, ...]:
    return tuple((taint.key, taint.value, taint.effect) for taint in node.spec.taints)


class NodeTable:
    """One row per node. Rows of removed nodes are used again."""

    def __init__(self) -> None:
        self.size = 0
        """Rows in use are below this number; `valid` marks them."""
        self.capacity = 16
        self.row_of: dict[str, int] = {}
        self.nodes: list[Node | None] = []
        self.valid = np.zeros(self.capacity, np.bool_)
        self.unschedulable = np.zeros(self.capacity, np.bool_)
        self.taint_codes = np.zeros(self.capacity, np.int32)
        self.taint_sets: list[tuple[TaintKey, ...]] = [()]
        self.pods_allowed = np.zeros(self.capacity, np.int64)
        self.resources: dict[str, int] = {CPU: 0, MEMORY: 1, EPHEMERAL_STORAGE: 2}
        self.allocatable = np.zeros((3, self.capacity), np.int64)
        self.images: dict[str, dict[int, int]] = {}
        """image name -> row -> size in bytes"""
        self.labels_version = 0
        """Increases when nodes come or go, or when labels or taints change: domains must be counted again."""
        self._columns: dict[str, Column] = {}
        self._taint_code_of: dict[tuple[TaintKey, ...], int] = {(): 0}
        self._free: list[int] = []

    def __len__(self) -> int:
        return len(self.row_of)

    @property
    def rows(self) -> slice:
        """All rows."""
        return slice(0, self.size)

    def name(self, row: int) -> str:
        """The name of the node in a row."""
        node = self.nodes[row]
        assert node is not None, "only rows of nodes have names"
        return node.metadata.name

    def column(self, key: str) -> Column:
        """The values of a label."""
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = Column(self.capacity)
        return found

    def resource(self, name: str) -> int:
        """The index of a resource in the arrays, which grow for a new one."""
        index = self.resources.get(name)
        if index is None:
            index = self.resources[name] = len(self.resources)
            self.allocatable = np.vstack([self.allocatable, np.zeros((1, self.capacity), np.int64)])
        return index

    def put(self, node: Node) -> int:
        """Write the row of a node; returns its index."""
        row = self.row_of.get(node.metadata.name)
        if row is None:
            row = self._new_row(node.metadata.name)
        old = self.nodes[row]
        self.nodes[row] = node
        self._put_labels(row, old, node)
        self._put_images(row, old, node)
        self._put_allocatable(row, node)
        taints = _taints(node)
        code = self._taint_code_of.get(taints)
        if code is None:
            code = self._taint_code_of[taints] = len(self.taint_sets)
            self.taint_sets.append(taints)
        if self.taint_codes[row] != code:
            self.taint_codes[row] = code
            self.labels_version += 1
        self.unschedulable[row] = node.spec.unschedulable
        return row

    def remove(self, name: str) -> int | None:
        """Clear the row of a node; returns its index."""
        row = self.row_of.pop(name, None)
        if row is None:
            return None
        old = self.nodes[row]
        assert old is not None
        for key in (*old.metadata.labels, NAME_FIELD):
            self.column(key).set(row, None)
        self._forget_images(row, old)
        self.nodes[row] = None
        self.valid[row] = False
        self.unschedulable[row] = False
        self.taint_codes[row] = 0
        self.pods_allowed[row] = 0
        self.allocatable[:, row] = 0
        self.labels_version += 1
        self._free.append(row)
        return row

    def _new_row(self, name: str) -> int:
        if self._free:
            row = self._free.pop()
        else:
            row = self.size
            self.size += 1
            self.nodes.append(None)
            if self.size > self.capacity:
                self._grow(self.capacity * 2)
        self.row_of[name] = row
        self.valid[row] = True
        self.column(NAME_FIELD).set(row, name)
        self.labels_version += 1
        return row

    def _grow(self, capacity: int) -> None:
        self.capacity = capacity
        self.valid = grown(self.valid, capacity)
        self.unschedulable = grown(self.unschedulable, capacity)
        self.taint_codes = grown(self.taint_codes, capacity)
        self.pods_allowed = grown(self.pods_allowed, capacity)
        self.allocatable = grown(self.allocatable, capacity)
        for column in self._columns.values():
            column.codes = grown(column.codes, capacity)

    def _put_labels(self, row: int, old: Node | None, node: Node) -> None:
        labels = node.metadata.labels
        before = old.metadata.labels if old is not None else {}
        if before == labels:
            return
        self.labels_version += 1
        for key in before.keys() - labels.keys():
            self.column(key).set(row, None)
        for key, value in labels.items():
            self.column(key).set(row, value)

    def _put_images(self, row: int, old: Node | None, node: Node) -> None:
        if old is not None and old.status.images == node.status.images:
            return
        if old is not None:
            self._forget_images(row, old)
        for image in node.status.images:
            for name in image.names:
                self.images.setdefault(name, {})[row] = image.size_bytes or 0

    def _forget_images(self, row: int, node: Node) -> None:
        for image in node.status.images:
            for name in image.names:
                rows = self.images.get(name, {})
                rows.pop(row, None)
                if not rows:
                    self.images.pop(name, None)

    def _put_allocatable(self, row: int, node: Node) -> None:
        self.allocatable[:, row] = 0
        for name, wanted in node.status.allocatable.items():
            number = amount(name, wanted)
            if name == PODS:
                self.pods_allowed[row] = number
            else:
                index = self.resource(name)
                self.allocatable[index, row] = number
        if PODS not in node.status.allocatable:
            self.pods_allowed[row] = 0
