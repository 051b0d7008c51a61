"""What a plugin is: the extension points that it takes part in.

A `Plugin` is a value. It is made from its arguments by the factory that stands in the registry (`registry.py`), once
per profile. `docs/extending/scheduler-plugin.md` shows how to add one.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.events import Interest
from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.handle import Handle
from pybernetes.scheduler.points import Filter, PreEnqueue, PreFilter, QueueSort, Score
from pybernetes.scheduler.template import Template, Traits


class Refused(Exception):
    """Raised by PreBind and Permit plugins: the pod cannot go to the node after all.

    The pod waits for an event that the plugin has registered.
    """


PostFilter = Callable[[Handle, Pod, Template, FitFailure], str]
"""Called when no node fits. Makes room if it can: then it returns "", else the text to show the user."""


class Reserve(Protocol):
    """Keeps account of what a pod will use, between the decision and the end of its binding."""

    def reserve(self, handle: Handle, pod: Pod, node_name: str) -> str:
        """Set something aside on the chosen node; returns a reason if that is impossible, else ""."""

    def unreserve(self, handle: Handle, pod: Pod, node_name: str) -> None:
        """Give it back: the pod will not be bound. Must work even if `reserve` refused or was not reached."""


Permit = Callable[[Handle, Pod, str], Awaitable[None]]
"""Holds a reserved pod back until it returns; raises Refused to reject it. (handle, pod, node name)"""

PreBind = Callable[[Handle, Pod, str], Awaitable[None]]
"""Prepares what the pod needs on the node, such as a volume; raises Refused if that fails. (handle, pod, node name)"""

Bind = Callable[[Handle, Pod, str], Awaitable[bool]]
"""Binds the pod to the node; False leaves it to the next Bind plugin. (handle, pod, node name)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugin:
    """One plugin with its arguments applied. It does not take part at points that are None."""

    interests: tuple[Interest, ...] = ()
    """The events that may help a pod that this plugin refused."""
    traits: Traits | None = None
    """What the plugin reads of a pod beyond the fields of `Template`; it finds the result in `Template.traits`."""
    pre_enqueue: PreEnqueue | None = None
    queue_sort: QueueSort | None = None
    pre_filter: PreFilter | None = None
    filter: Filter | None = None
    post_filter: PostFilter | None = None
    score: Score | None = None
    reserve: Reserve | None = None
    permit: Permit | None = None
    pre_bind: PreBind | None = None
    bind: Bind | None = None
    implied: frozenset[str] = frozenset()
    """Points at which kube-scheduler's plugin of this name also takes part and which our arrays make unnecessary.

    A configuration may name the plugin there; it has no effect.
    """

    def extends(self, point: str) -> bool:
        """Whether a configuration may name the plugin at a point."""
        return POINTS[point](self) is not None or point in self.implied


POINTS: Mapping[str, Callable[[Plugin], object]] = {
    "preEnqueue": lambda plugin: plugin.pre_enqueue,
    "queueSort": lambda plugin: plugin.queue_sort,
    "preFilter": lambda plugin: plugin.pre_filter,
    "filter": lambda plugin: plugin.filter,
    "postFilter": lambda plugin: plugin.post_filter,
    "preScore": lambda plugin: None,
    "score": lambda plugin: plugin.score,
    "reserve": lambda plugin: plugin.reserve,
    "permit": lambda plugin: plugin.permit,
    "preBind": lambda plugin: plugin.pre_bind,
    "bind": lambda plugin: plugin.bind,
    "postBind": lambda plugin: None,
}
"""The extension points under their names in KubeSchedulerConfiguration, in the order in which a pod meets them.

PreScore is part of `Score.raw`. PostBind has no plugin.
"""
