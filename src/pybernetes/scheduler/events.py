"""Cluster events, and which of them may help a pod that found no node.

A refused pod waits for events that the plugins that refused it have registered (`Plugin.interests`); only those put it
back into the queue.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Flag, auto

from pybernetes.api.meta import Object
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template


class Action(Flag):
    """What happened to an object. Nodes have one action per kind of change; heartbeats are no events."""

    ADD = auto()
    """It appeared. For a Pod: it was bound to a node."""
    UPDATE = auto()
    """It changed. For a Pod: labels or other fields of a bound pod. Not used for Nodes."""
    DELETE = auto()
    """It is gone. For a Pod: it was deleted or has ended, and its resources are free."""
    UPDATE_NODE_ALLOCATABLE = auto()
    UPDATE_NODE_LABEL = auto()
    UPDATE_NODE_TAINT = auto()
    """Taints, or spec.unschedulable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One change in the cluster."""

    kind: type[Object]
    action: Action
    row: int | None = None
    """The row of the node that is concerned, if it is a single one and known."""
    old: Object | None = None
    new: Object | None = None


Hint = Callable[[Snapshot, Template, Event], bool]
"""Whether an event may help a pod (kube-scheduler's QueueingHintFn). Must be cheap."""


@dataclass(frozen=True, slots=True)
class Interest:
    """Events that may help a pod that the plugin refused (an element of kube-scheduler's EventsToRegister).

    Without a hint, an event about one node helps if the plugin's filter passes that node now (filters of scope
    CLUSTER: always), and any other event helps.
    """

    kind: type[Object]
    actions: Action
    hint: Hint | None = None

    def covers(self, event: Event) -> bool:
        """Whether the event is one of these."""
        return event.kind is self.kind and bool(event.action & self.actions)
