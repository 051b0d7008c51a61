"""Recording events: short notes on what happened to an object, shown by `kubectl describe`.

A repeated event raises the count of the first instead of making another object. For an object with many events (a
ReplicaSet of thousands of pods) most are dropped, at the rate of client-go. Recording never fails and never blocks:
events wait in a bounded queue, and are dropped with a log line when the server is too slow.
"""

import asyncio
import logging
import random
import re
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from pybernetes.api.core.event import Event, EventSource
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.kinds import BY_STRUCT
from pybernetes.api.meta import Object, ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, NotFound, Unreachable

log = logging.getLogger(__name__)

_QUEUE = 1000
_REMEMBERED = 4096
#: The number of events that one object may cause at once, and the seconds until it may cause another one.
_BURST = 25.0
_REFILL_SECONDS = 300.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _name_of(target: ObjectReference) -> str:
    """The first part of an event's name: the name of the object, made valid for an Event (`system:node` is not)."""
    labels = re.sub(r"[^a-z0-9.-]+", "-", target.name.lower())[:230].split(".")
    return ".".join(label.strip("-") for label in labels if label.strip("-")) or "event"


def reference(obj: Object, field_path: str = "") -> ObjectReference:
    """The reference to an object by which an event names it."""
    kind = BY_STRUCT[type(obj)]
    meta = obj.metadata
    return ObjectReference(
        kind=kind.name,
        namespace=meta.namespace,
        name=meta.name,
        uid=meta.uid,
        api_version=kind.api_version,
        resource_version=meta.resource_version,
        field_path=field_path,
    )


class _Allowance:
    """How many events each object may still cause: a token bucket per object. Pure: time is an argument."""

    def __init__(self) -> None:
        self._left: OrderedDict[tuple[str, ...], tuple[float, float]] = OrderedDict()

    def take(self, target: ObjectReference, now: float) -> bool:
        """Whether this object may cause an event now."""
        key = (target.kind, target.namespace, target.name, target.uid)
        left, since = self._left.pop(key, (_BURST, now))
        left = min(_BURST, left + (now - since) / _REFILL_SECONDS)
        allowed = left >= 1.0
        self._left[key] = (left - 1.0 if allowed else left, now)
        while len(self._left) > _REMEMBERED:
            self._left.popitem(last=False)
        return allowed


class EventRecorder:
    """Records events as one component; `run` writes them."""

    def __init__(
        self, client: Client, component: str, *, host: str = "", now: Callable[[], datetime] = _utc_now
    ) -> None:
        self._events = client.of(Event)
        self._source = EventSource(component=component, host=host)
        self._now = now
        self._queue: asyncio.Queue[tuple[ObjectReference, str, str, str]] = asyncio.Queue(_QUEUE)
        self._known: OrderedDict[tuple[str, ...], Event] = OrderedDict()
        self._random = random.Random()
        self._allowance = _Allowance()
        self._dropped = 0

    def event(self, obj: Object | ObjectReference, type_: str, reason: str, message: str) -> None:
        """Record an event about an object; `type_` is Normal or Warning."""
        target = obj if isinstance(obj, ObjectReference) else reference(obj)
        if not self._allowance.take(target, self._now().timestamp()):
            return
        try:
            self._queue.put_nowait((target, type_, reason, message))
        except asyncio.QueueFull:
            if not self._dropped:
                log.warning(
                    "events of %s are dropped: they arrive faster than the server accepts them", self._source.component
                )
            self._dropped += 1

    async def run(self) -> None:
        """Write events until cancelled."""
        while True:
            target, type_, reason, message = await self._queue.get()
            if self._dropped and self._queue.qsize() < _QUEUE // 2:
                log.warning("%d events of %s were dropped", self._dropped, self._source.component)
                self._dropped = 0
            try:
                await self._write(target, type_, reason, message)
            except (ApiError, Unreachable) as error:
                log.debug("event not written: %s %s: %s (%s)", target.name, reason, message, error)

    async def _write(self, target: ObjectReference, type_: str, reason: str, message: str) -> None:
        key = (target.kind, target.uid or target.name, target.namespace, target.field_path, type_, reason, message)
        known = self._known.get(key)
        if known is not None:
            try:
                await self._repeat(key, known)
                return
            except NotFound:
                self._known.pop(key, None)
        self._remember(key, await self._events.create(self._new(target, type_, reason, message)))

    async def _repeat(self, key: tuple[str, ...], known: Event) -> None:
        change: dict[str, Any] = {"count": (known.count or 1) + 1, "lastTimestamp": self._time()}
        meta = known.metadata
        self._remember(key, await self._events.patch(meta.name, change, namespace=meta.namespace))

    def _remember(self, key: tuple[str, ...], event: Event) -> None:
        self._known[key] = event
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _time(self) -> str:
        return self._now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _new(self, target: ObjectReference, type_: str, reason: str, message: str) -> Event:
        stamp = self._time()
        return Event(
            metadata=ObjectMeta(
                name=f"{_name_of(target)}.{self._random.getrandbits(64):016x}",
                namespace=target.namespace or "default",
            ),
            involved_object=msgspec.structs.replace(target),
            reason=reason,
            message=message[:1024],
            source=self._source,
            type=type_,
            count=1,
            first_timestamp=stamp,
            last_timestamp=stamp,
            reporting_component=self._source.component,
            reporting_instance=self._source.host,
        )
