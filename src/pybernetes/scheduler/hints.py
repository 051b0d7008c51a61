"""Which events may help a pod that found no node: only those put it back into the queue.

A pod waits for the plugins that refused nodes. Each plugin has the kinds of events that can change its mind, and for
events about one node, plugins that look at one node are simply asked about that node again.
"""

from dataclasses import dataclass
from enum import Enum, auto

import numpy as np

from pybernetes.scheduler.plugin import Scope
from pybernetes.scheduler.plugins import FILTERS
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template


class Change(Enum):
    """What has happened."""

    NODE_ADDED = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABELS = auto()
    NODE_TAINTS = auto()
    """Taints, or cordoned or not."""
    NODE_REMOVED = auto()
    POD_ADDED = auto()
    """A pod was bound, or a bound one has new labels."""
    POD_REMOVED = auto()
    NAMESPACE = auto()


C = Change
HELPFUL: dict[str, frozenset[Change]] = {
    "NodeUnschedulable": frozenset({C.NODE_ADDED, C.NODE_TAINTS}),
    "NodeName": frozenset({C.NODE_ADDED}),
    "TaintToleration": frozenset({C.NODE_ADDED, C.NODE_TAINTS}),
    "NodeAffinity": frozenset({C.NODE_ADDED, C.NODE_LABELS}),
    "NodePorts": frozenset({C.NODE_ADDED, C.POD_REMOVED}),
    "NodeResourcesFit": frozenset({C.NODE_ADDED, C.NODE_ALLOCATABLE, C.POD_REMOVED}),
    "PodTopologySpread": frozenset(
        {C.NODE_ADDED, C.NODE_REMOVED, C.NODE_LABELS, C.NODE_TAINTS, C.POD_ADDED, C.POD_REMOVED}
    ),
    "InterPodAffinity": frozenset({C.NODE_ADDED, C.NODE_LABELS, C.POD_ADDED, C.POD_REMOVED, C.NAMESPACE}),
}

_BY_NAME = {name: tuple(f for f in FILTERS if f.name == name) for name in HELPFUL}


@dataclass(frozen=True, slots=True)
class Event:
    """A change, and the row of the node that it is about, if it is known."""

    change: Change
    row: int | None = None


def helps(snapshot: Snapshot, template: Template, plugins: tuple[str, ...], event: Event) -> bool:
    """Whether a pod that these plugins kept from being placed should be tried again."""
    return any(_helps(snapshot, template, name, event) for name in plugins)


def _helps(snapshot: Snapshot, template: Template, name: str, event: Event) -> bool:
    if event.change not in HELPFUL[name]:
        return False
    if event.row is None:
        return True
    row = np.array([event.row], np.intp)
    for plugin in _BY_NAME[name]:
        if plugin.scope is Scope.CLUSTER:
            continue
        codes = plugin.codes(snapshot, template, row)
        if codes is not None and codes.any():
            return False
    return True
