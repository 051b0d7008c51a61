"""Writes the statuses of pods to the API server, in the background, and only if they have changed.

A failed write is retried, because no later change may come to correct the status in the API server.
"""

import asyncio
import logging
from collections.abc import Callable

import msgspec

from pybernetes.api.core.pod import Pod, PodStatus
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Conflict, NotFound, Unreachable
from pybernetes.client.workqueue import QueueClosed, WorkQueue

log = logging.getLogger(__name__)

_SENDERS = 4


class StatusManager:
    """The statuses of all pods. `lookup` returns the API server's version of a pod: for a static pod its mirror."""

    def __init__(self, client: Client, lookup: Callable[[Pod], Pod | None]) -> None:
        self._pods = client.of(Pod)
        self._lookup = lookup
        self._wanted: dict[str, tuple[Pod, PodStatus]] = {}
        self._sent: dict[str, bytes] = {}
        self._encoder = msgspec.json.Encoder()
        self._queue: WorkQueue[str] = WorkQueue(base_delay=0.2, max_delay=10.0)
        self._written: dict[str, asyncio.Event] = {}

    def last(self, pod: Pod) -> PodStatus:
        """The latest status of a pod: the one given to `set`, else that from the API server."""
        known = self._wanted.get(pod.metadata.uid)
        return known[1] if known is not None else pod.status

    def set(self, pod: Pod, status: PodStatus) -> None:
        """Write a status to the API server soon."""
        uid = pod.metadata.uid
        known = self._wanted.get(uid)
        if known is not None and known[1] == status:
            return
        self._wanted[uid] = (pod, status)
        self._written.setdefault(uid, asyncio.Event()).clear()
        self._queue.add(uid)

    async def written(self, uid: str) -> None:
        """Wait until the API server has the latest status of a pod, or no longer has the pod."""
        event = self._written.get(uid)
        if event is not None:
            await event.wait()

    def forget(self, uid: str) -> None:
        """Drop the status of a pod that has been removed."""
        self._wanted.pop(uid, None)
        self._sent.pop(uid, None)
        event = self._written.pop(uid, None)
        if event is not None:
            event.set()

    async def run(self) -> None:
        """Write statuses until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(_SENDERS):
                group.create_task(self._sender(), name=f"pod status {number}")

    async def _sender(self) -> None:
        while True:
            try:
                uid = await self._queue.get()
            except QueueClosed:
                return
            try:
                await self._report(uid)
                self._queue.forget(uid)
            except (ApiError, Unreachable) as error:
                log.debug("status of pod %s: %s", uid, error)
                self._queue.retry(uid)
            finally:
                self._queue.done(uid)

    async def _report(self, uid: str) -> None:
        known = self._wanted.get(uid)
        if known is None:
            return
        pod, status = known
        encoded = self._encoder.encode(status)
        before = self._sent.get(uid)
        if before is None:
            before = self._encoder.encode(pod.status)
        if before != encoded:
            await self._send(pod, status)
            self._sent[uid] = encoded
        if self._wanted.get(uid) is known and uid in self._written:
            self._written[uid].set()

    async def _send(self, pod: Pod, status: PodStatus) -> None:
        meta = pod.metadata
        latest = self._lookup(pod)
        if latest is None:
            raise Unreachable(f"static pod {meta.namespace}/{meta.name} has no mirror pod yet")
        uid = latest.metadata.uid
        try:
            for _ in range(3):
                if latest.metadata.uid != uid:
                    return
                try:
                    await self._pods.update_status(
                        msgspec.structs.replace(latest, status=_merge(latest.status, status))
                    )
                    return
                except Conflict:
                    latest = await self._pods.get(meta.name, namespace=meta.namespace)
        except NotFound:
            return
        raise Unreachable(f"status of {meta.namespace}/{meta.name} changes faster than it can be written")


def _merge(current: PodStatus, ours: PodStatus) -> PodStatus:
    """Our status, with the conditions that other components have set."""
    names = {c.type for c in ours.conditions}
    extra = [c for c in current.conditions if c.type not in names]
    return msgspec.structs.replace(ours, conditions=[*ours.conditions, *extra]) if extra else ours
