"""From a decision to a bound pod: Reserve, Permit, PreBind and Bind.

Reserve runs at once, in the scheduling loop. The rest runs concurrently, so that the next pod need not wait. Whatever
fails takes back the reservations, in reverse order, and the assumption in the snapshot.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.scheduler.handle import Handle, Write
from pybernetes.scheduler.plugin import Refused
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.queue import SchedulingQueue, Waiting
from pybernetes.scheduler.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a placed pod was not bound."""

    message: str
    plugin: str = ""
    """The plugin that refused it; empty if the API server did, or could not be reached."""


@dataclass(frozen=True, slots=True)
class Placement:
    """A pod on its way to a node."""

    profile: Profile
    handle: Handle
    item: Waiting
    node_name: str


class _Failed(Exception):
    def __init__(self, message: str, plugin: str = "") -> None:
        super().__init__(message)
        self.rejection = Rejection(message, plugin)


class Binder:
    """Runs placements to their end."""

    def __init__(
        self,
        snapshot: Snapshot,
        queue: SchedulingQueue,
        submit: Callable[[Write], None],
        *,
        rejected: Callable[[Waiting, Rejection], None],
    ) -> None:
        self._snapshot = snapshot
        self._queue = queue
        self._submit = submit
        self._rejected = rejected
        self._permits: asyncio.Queue[Placement] = asyncio.Queue()

    async def run(self) -> None:
        """Let placements wait for their Permit plugins, until cancelled. They wait for each other, so all at once."""
        async with asyncio.TaskGroup() as group:
            while True:
                placement = await self._permits.get()
                group.create_task(self._wait(placement), name=f"permit {placement.item.pod.metadata.name}")

    def start(self, profile: Profile, handle: Handle, item: Waiting, node_name: str) -> None:
        """Reserve, and begin the rest. The pod is assumed on the node already."""
        placement = Placement(profile, handle, item, node_name)
        for name, reserve in profile.reserves:
            reason = reserve.reserve(handle, item.pod, node_name)
            if reason:
                self._undo(placement)
                self._rejected(item, Rejection(reason, name))
                return
        if profile.permits:
            self._permits.put_nowait(placement)
        else:
            self._submit(lambda: self._bind(placement))

    async def _wait(self, placement: Placement) -> None:
        try:
            for name, permit in placement.profile.permits:
                try:
                    await permit(placement.handle, placement.item.pod, placement.node_name)
                except Refused as error:
                    raise _Failed(str(error), name) from error
                except (ApiError, Unreachable) as error:
                    raise _Failed(f'running Permit plugin "{name}": {error}') from error
        except _Failed as failed:
            self._fail(placement, failed.rejection)
        else:
            self._submit(lambda: self._bind(placement))

    async def _bind(self, placement: Placement) -> None:
        pod, node_name = placement.item.pod, placement.node_name
        if not self._wanted(placement):
            self._undo(placement)
            return
        try:
            await _pre_bind(placement)
            await _bind(placement)
        except NotFound:
            self._undo(placement)
            self._queue.remove(pod.metadata.uid)
        except _Failed as failed:
            self._fail(placement, failed.rejection)
        else:
            text = f"Successfully assigned {pod.metadata.namespace}/{pod.metadata.name} to {node_name}"
            placement.handle.recorder.event(pod, "Normal", "Scheduled", text)

    def _wanted(self, placement: Placement) -> bool:
        """Whether the pod is still to be bound; not if it was deleted, or another client bound it, in the meantime."""
        return self._queue.get(placement.item.pod.metadata.uid) is placement.item

    def _fail(self, placement: Placement, rejection: Rejection) -> None:
        self._undo(placement)
        if self._wanted(placement):
            self._rejected(placement.item, rejection)

    def _undo(self, placement: Placement) -> None:
        for _, reserve in reversed(placement.profile.reserves):
            reserve.unreserve(placement.handle, placement.item.pod, placement.node_name)
        self._snapshot.forget(placement.item.pod.metadata.uid)


async def _pre_bind(placement: Placement) -> None:
    for name, pre_bind in placement.profile.pre_binds:
        try:
            await pre_bind(placement.handle, placement.item.pod, placement.node_name)
        except Refused as error:
            raise _Failed(str(error), name) from error
        except (ApiError, Unreachable) as error:
            raise _Failed(f'running PreBind plugin "{name}": {error}') from error


async def _bind(placement: Placement) -> None:
    try:
        for _, bind in placement.profile.binds:
            if await bind(placement.handle, placement.item.pod, placement.node_name):
                return
    except NotFound:
        raise
    except (ApiError, Unreachable) as error:
        raise _Failed(f"binding rejected: {error}") from error
    raise _Failed("binding rejected: every Bind plugin skipped the pod")
