"""Which nodes a topology spread constraint counts, remembered until a label or a taint changes."""

from dataclasses import dataclass, field

import numpy as np

from pybernetes.scheduler.nodematch import required_mask, untainted_mask
from pybernetes.scheduler.nodes import NodeTable
from pybernetes.scheduler.template import Spread, Template
from pybernetes.scheduler.types import Ints, Mask

_REMEMBERED = 256


@dataclass(slots=True)
class Counted:
    """The nodes whose pods a constraint counts, and their domains."""

    mask: Mask
    all_nodes: bool
    """Whether these are all nodes that have the key: then counts per domain can be used unchanged."""
    present: Ints
    """Codes of the domains."""


@dataclass(slots=True)
class _Remembered:
    version: int
    counted: dict[tuple[Spread, tuple[str, ...]], Counted] = field(default_factory=dict)


class EligibleNodes:
    """A cache over one table of nodes."""

    def __init__(self, nodes: NodeTable) -> None:
        self._nodes = nodes
        self._known: dict[Template, _Remembered] = {}

    def of(self, template: Template, constraint: Spread, keys: tuple[str, ...]) -> Counted:
        """The nodes that have all `keys` and that the constraint's node inclusion policies admit."""
        found = self._known.get(template)
        if found is None or found.version != self._nodes.labels_version:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = self._known[template] = _Remembered(self._nodes.labels_version)
        counted = found.counted.get((constraint, keys))
        if counted is None:
            counted = found.counted[constraint, keys] = _count(self._nodes, template, constraint, keys)
        return counted


def _count(nodes: NodeTable, template: Template, constraint: Spread, keys: tuple[str, ...]) -> Counted:
    rows = nodes.rows
    mask: Mask = nodes.valid[rows].copy()
    for key in keys:
        mask &= nodes.column(key).codes[rows] != 0
    if constraint.honor_affinity:
        suitable = required_mask(nodes, template, rows)
        if suitable is not None:
            mask &= suitable
    if constraint.honor_taints:
        mask &= untainted_mask(nodes, template, rows)
    codes = nodes.column(constraint.topology_key).codes[rows]
    has_key = nodes.valid[rows] & (codes != 0)
    present = np.unique(codes[mask]).astype(np.int64)
    return Counted(mask, bool((mask == has_key).all()), present[present != 0])
