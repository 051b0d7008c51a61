"""Pods that wait for a node.

- active: a heap, the highest priority first, of equals the one that has waited longest;
- back-off: failed pods whose time has not come yet, 1 s doubling to 10 s;
- unschedulable: pods that no node would take, until an event that may help them, or five minutes;
- gated: pods with scheduling gates, until they are gone.

Pure: time comes in as a number of seconds.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from pybernetes.api.core.pod import Pod
from pybernetes.scheduler.config import Config
from pybernetes.scheduler.template import Template


class Place(Enum):
    """Where in the queue a pod is."""

    ACTIVE = auto()
    BACKOFF = auto()
    UNSCHEDULABLE = auto()
    GATED = auto()
    IN_WORK = auto()


@dataclass(slots=True, eq=False)
class Waiting:
    """A pod in the queue, or in work: then it is the scheduler's until it is given back by `failed` or `remove`."""

    pod: Pod
    template: Template
    since: float
    """When it last entered the queue; orders pods of the same priority."""
    place: Place = Place.ACTIVE
    attempts: int = 0
    plugins: tuple[str, ...] = ()
    """The filters that refused nodes at the last attempt."""
    ticket: int = 0
    """Entries of the heaps with another ticket are stale."""


Group = tuple[Template, tuple[str, ...]]
"""Unschedulable pods that the same events help."""


@dataclass(slots=True)
class SchedulingQueue:
    """All pods without a node. `now` is in seconds of a steady clock."""

    config: Config
    _waiting: dict[str, Waiting] = field(default_factory=dict)
    _active: list[tuple[int, float, int, str]] = field(default_factory=list)
    _backoff: list[tuple[float, int, str]] = field(default_factory=list)
    _unschedulable: dict[Group, dict[str, Waiting]] = field(default_factory=dict)
    _tickets: int = 0
    _flushed: float = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def get(self, uid: str) -> Waiting | None:
        """A pod by its uid."""
        return self._waiting.get(uid)

    def counts(self) -> dict[Place, int]:
        """How many pods are where."""
        counts = dict.fromkeys(Place, 0)
        for item in self._waiting.values():
            counts[item.place] += 1
        return counts

    def put(self, pod: Pod, template: Template, now: float) -> None:
        """A pod that has appeared or changed. A change that matters gives a refused pod another try."""
        item = self._waiting.get(pod.metadata.uid)
        if item is None:
            item = self._waiting[pod.metadata.uid] = Waiting(pod, template, now)
            self._enter(item, Place.GATED if pod.spec.scheduling_gates else Place.ACTIVE, now)
            return
        changed = item.template is not template
        if changed and item.place is Place.UNSCHEDULABLE:
            self._leave_group(item)
        item.pod, item.template = pod, template
        if item.place is Place.IN_WORK:
            return
        if item.place is Place.GATED:
            if not pod.spec.scheduling_gates:
                self._enter(item, Place.ACTIVE, now)
        elif changed and item.place is Place.UNSCHEDULABLE:
            self._retry(item, now)
        elif changed and item.place is Place.ACTIVE:
            self._enter(item, Place.ACTIVE, item.since)

    def remove(self, uid: str) -> Waiting | None:
        """A pod that is gone, or has a node."""
        item = self._waiting.pop(uid, None)
        if item is not None and item.place is Place.UNSCHEDULABLE:
            self._leave_group(item)
        return item

    def pop(self) -> Waiting | None:
        """The next pod to schedule; None if there is none just now."""
        while self._active:
            *_, ticket, uid = heapq.heappop(self._active)
            item = self._waiting.get(uid)
            if item is not None and item.ticket == ticket and item.place is Place.ACTIVE:
                item.place = Place.IN_WORK
                item.attempts += 1
                return item
        return None

    def failed(self, item: Waiting, plugins: tuple[str, ...], now: float) -> None:
        """Give back a pod: it waits for events that concern `plugins`, or with none of them just for its back-off."""
        if self._waiting.get(item.pod.metadata.uid) is not item:
            return
        item.plugins = plugins
        item.since = now
        if not plugins:
            self._enter(item, Place.BACKOFF, now)
            return
        item.place = Place.UNSCHEDULABLE
        self._unschedulable.setdefault((item.template, plugins), {})[item.pod.metadata.uid] = item

    def on_event(self, helps: Callable[[Template, tuple[str, ...]], bool], now: float) -> int:
        """Try the unschedulable pods again that an event helps; returns how many."""
        moved = 0
        for group in [group for group in self._unschedulable if helps(*group)]:
            items = self._unschedulable.pop(group)
            moved += len(items)
            for item in items.values():
                self._retry(item, now)
        return moved

    def advance(self, now: float) -> None:
        """Let time pass: pods whose back-off is over become active, and those that have waited far too long."""
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
        """How long a pod rests after its failures so far."""
        config = self.config
        return min(config.initial_backoff * 2.0 ** min(max(item.attempts - 1, 0), 60), config.max_backoff)

    def _retry(self, item: Waiting, now: float) -> None:
        resting = item.since + self.backoff(item) > now
        self._enter(item, Place.BACKOFF if resting else Place.ACTIVE, item.since)

    def _enter(self, item: Waiting, place: Place, since: float) -> None:
        self._tickets += 1
        item.place, item.ticket, item.since = place, self._tickets, since
        uid = item.pod.metadata.uid
        if place is Place.ACTIVE:
            heapq.heappush(self._active, (-item.template.priority, since, item.ticket, uid))
        elif place is Place.BACKOFF:
            heapq.heappush(self._backoff, (since + self.backoff(item), item.ticket, uid))

    def _leave_group(self, item: Waiting) -> None:
        self._leave((item.template, item.plugins), item)

    def _leave(self, group: Group, item: Waiting) -> None:
        items = self._unschedulable[group]
        del items[item.pod.metadata.uid]
        if not items:
            del self._unschedulable[group]
