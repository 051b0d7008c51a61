"""Pods that wait for a node.

- active: a heap in the order of the QueueSort plugin;
- back-off: failed pods whose back-off is not over yet, 1 s doubling to 10 s;
- unschedulable: pods that no node can take, until an event that may help them, or five minutes;
- gated: pods that a PreEnqueue plugin keeps out, until the pod changes or an event that the plugin waits for.

Pure: time comes in as a number of seconds.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.config import Config
from pybernetes.scheduler.points import QueueSort
from pybernetes.scheduler.template import Template


class Place(Enum):
    """Which part of the queue a pod is in."""

    ACTIVE = auto()
    BACKOFF = auto()
    UNSCHEDULABLE = auto()
    GATED = auto()
    IN_PROGRESS = auto()


@dataclass(slots=True, eq=False)
class Waiting:
    """A pod in the queue, or one that is being scheduled: until `failed` or `remove` is called for it."""

    pod: Pod
    template: Template
    since: float
    """When it last entered the queue."""
    place: Place = Place.ACTIVE
    attempts: int = 0
    plugins: tuple[str, ...] = ()
    """The plugins that refused it at the last attempt, or the one that keeps it out of the queue."""
    ticket: int = 0
    """Heap entries with another ticket are stale."""


Group = tuple[Template, tuple[str, ...]]
"""Key of unschedulable pods that the same events may help."""


@dataclass(slots=True)
class SchedulingQueue:
    """All pods without a node. `now` is in seconds of a monotonic clock."""

    config: Config
    sort: QueueSort
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _active: list[tuple[Any, int, str]] = field(default_factory=list)
    _backoff: list[tuple[float, int, str]] = field(default_factory=list)
    _unschedulable: dict[Group, dict[str, Waiting]] = field(default_factory=dict)
    _tickets: int = 0
    _flushed: float = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, uid: str) -> Waiting | None:
        """The pod with a uid."""
        return self._waiting.get(uid)

    def counts(self) -> dict[Place, int]:
        """How many pods are in each part."""
        counts = dict.fromkeys(Place, 0)
        for item in self._waiting.values():
            counts[item.place] += 1
        return counts

    def put(self, pod: Pod, template: Template, now: float, gated_by: str = "") -> None:
        """Add a pod that has appeared, or take in a change. A change that matters to scheduling retries a refused pod.

        `gated_by` is the PreEnqueue plugin that keeps the pod out.
        """
        item = self._waiting.get(pod.metadata.uid)
        if item is None:
            item = self._waiting[pod.metadata.uid] = Waiting(pod, template, now)
            self._enter_or_gate(item, gated_by, now)
            return
        changed = item.template is not template
        if changed and item.place is Place.UNSCHEDULABLE:
            self._leave_group(item)
        item.pod, item.template = pod, template
        if item.place is Place.IN_PROGRESS:
            return
        if item.place is Place.GATED:
            self._enter_or_gate(item, gated_by, now)
        elif changed and item.place is Place.UNSCHEDULABLE:
            self._retry(item, now)
        elif changed and item.place is Place.ACTIVE:
            self._enter(item, Place.ACTIVE, item.since)

    def gated(self) -> list[Waiting]:
        """The pods that PreEnqueue plugins keep out."""
        return [item for item in self._waiting.values() if item.place is Place.GATED]

    def remove(self, uid: str) -> Waiting | None:
        """Forget a pod that is gone or has a node."""
        item = self._waiting.pop(uid, None)
        if item is not None and item.place is Place.UNSCHEDULABLE:
            self._leave_group(item)
        return item

    def pop(self) -> Waiting | None:
        """The next pod to schedule; None if there is none now."""
        while self._active:
            *_, ticket, uid = heapq.heappop(self._active)
            item = self._waiting.get(uid)
            if item is not None and item.ticket == ticket and item.place is Place.ACTIVE:
                item.place = Place.IN_PROGRESS
                item.attempts += 1
                return item
        return None

    def retry_later(self, item: Waiting, now: float) -> None:
        """Put back a pod that failed for another reason than its plugins: it waits for its back-off only."""
        if self._waiting.get(item.pod.metadata.uid) is item:
            item.plugins = ()
            self._enter(item, Place.BACKOFF, now)

    def failed(self, item: Waiting, plugins: tuple[str, ...], now: float) -> None:
        """Put back a pod that no node can take: it waits for an event that may help, given what refused it."""
        if self._waiting.get(item.pod.metadata.uid) is not item:
            return
        item.plugins = plugins
        item.since = now
        item.place = Place.UNSCHEDULABLE
        self._unschedulable.setdefault((item.template, plugins), {})[item.pod.metadata.uid] = item

    def on_event(self, helps: Callable[[Template, tuple[str, ...]], bool], now: float) -> int:
        """Retry the unschedulable pods that an event may help; returns how many."""
        moved = 0
        for group in [group for group in self._unschedulable if helps(*group)]:
            items = self._unschedulable.pop(group)
            moved += len(items)
            for item in items.values():
                self._retry(item, now)
        return moved

    def advance(self, now: float) -> None:
        """Activate the pods whose back-off is over, and those that have been unschedulable for too long."""
        while self._backoff and self._backoff[0][0] <= now:
            _, ticket, uid = heapq.heappop(self._backoff)
            item = self._waiting.get(uid)
            if item is not None and item.ticket == ticket and item.place is Place.BACKOFF:
                self._enter(item, Place.ACTIVE, item.since)
        if now - self._flushed >= self.config.flush_interval:
            self._flushed = now
            limit = now - self.config.unschedulable_timeout
            for group, items in list(self._unschedulable.items()):
                for item in [item for item in items.values() if item.since <= limit]:
                    self._leave(group, item)
                    self._retry(item, now)

    def next_due(self) -> float | None:
        """When `advance` next has something to do; None if only events can help."""
        due = [self._backoff[0][0]] if self._backoff else []
        if self._unschedulable:
            due.append(self._flushed + self.config.flush_interval)
        return min(due, default=None)

    def backoff(self, item: Waiting) -> float:
        """How long a pod backs off after its failures so far."""
        config = self.config
        return min(config.initial_backoff * 2.0 ** min(max(item.attempts - 1, 0), 60), config.max_backoff)

    def _retry(self, item: Waiting, now: float) -> None:
        resting = item.since + self.backoff(item) > now
        self._enter(item, Place.BACKOFF if resting else Place.ACTIVE, item.since)

    def _enter_or_gate(self, item: Waiting, gated_by: str, now: float) -> None:
        item.plugins = (gated_by,) if gated_by else ()
        self._enter(item, Place.GATED if gated_by else Place.ACTIVE, now)

    def _enter(self, item: Waiting, place: Place, since: float) -> None:
        self._tickets += 1
        item.place, item.ticket, item.since = place, self._tickets, since
        uid = item.pod.metadata.uid
        if place is Place.ACTIVE:
            heapq.heappush(self._active, (self.sort(item.template, since), item.ticket, uid))
        elif place is Place.BACKOFF:
            heapq.heappush(self._backoff, (since + self.backoff(item), item.ticket, uid))

    def _leave_group(self, item: Waiting) -> None:
        self._leave((item.template, item.plugins), item)

    def _leave(self, group: Group, item: Waiting) -> None:
        items = self._unschedulable[group]
        del items[item.pod.metadata.uid]
        if not items:
            del self._unschedulable[group]
