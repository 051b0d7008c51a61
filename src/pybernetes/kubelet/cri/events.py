"""Events of containers that exit.

CRI has events since containerd 1.7 only, so this module subscribes to containerd's own event service. A runtime without
that service (CRI-O) is polled once a second. In both cases all pods are synchronized once a minute, in case an event
was lost.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import Protocol

from pybernetes.kubelet.cri.channel import Channel
from pybernetes.kubelet.criapi import events_pb2 as pb
from pybernetes.kubelet.runtime import RuntimeFailure, RuntimeRefused

log = logging.getLogger(__name__)

_SUBSCRIBE = "/containerd.services.events.v1.Events/Subscribe"
_FILTERS = ('topic=="/tasks/exit",namespace=="k8s.io"',)
_METADATA = (("containerd-namespace", "k8s.io"),)
_RESYNC = 60.0
_NO_EVENTS_PERIOD = 1.0
_RECONNECT = 0.5
_SETTLE = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class View(Protocol):
    """The part of the runtime that this module uses."""

    async def has_ended(self, container_id: str) -> bool:
        """Whether the runtime's CRI status shows that the container has exited."""

    def owner(self, item: str) -> str | None:
        """The uid of the pod that a container belongs to."""


async def exits(channel: Channel, view: View) -> AsyncGenerator[str, None]:
    """uids of pods with a container that has exited; "" whenever events may have been missed."""
    queue: asyncio.Queue[str] = asyncio.Queue()
    feeder = asyncio.create_task(_feed(channel, view, queue), name="runtime events")
    try:
        while True:
            try:
                async with asyncio.timeout(_RESYNC):
                    uid = await queue.get()
            except TimeoutError:
                uid = ""
            yield uid
    finally:
        feeder.cancel()
        await asyncio.wait([feeder])


async def _feed(channel: Channel, view: View, queue: asyncio.Queue[str]) -> None:
    settling: set[asyncio.Task[None]] = set()
    while True:
        delay = _RECONNECT
        try:
            queue.put_nowait("")
            async for envelope in channel.stream(
                _SUBSCRIBE, pb.SubscribeRequest(filters=_FILTERS), pb.Envelope, _METADATA
            ):
                container = _ended_container(envelope)
                if container:
                    task = asyncio.create_task(_settle(view, container, queue), name=f"exit of {container[:12]}")
                    settling.add(task)
                    task.add_done_callback(settling.discard)
        except RuntimeRefused:
            delay = _NO_EVENTS_PERIOD
        except RuntimeFailure as error:
            log.debug("runtime events: %s", error)
        await asyncio.sleep(delay)


def _ended_container(envelope: pb.Envelope) -> str:
    """The id of the container whose main process has exited; "" for commands in a container and for other events."""
    try:
        event = pb.TaskExit.FromString(envelope.event.value)
    except ValueError:
        return ""
    return str(event.container_id) if event.id in ("", event.container_id) else ""


async def _settle(view: View, container: str, queue: asyncio.Queue[str]) -> None:
    """Report the exit once the runtime's CRI status shows it; containerd updates the status from the same event."""
    try:
        for delay in _SETTLE:
            if await view.has_ended(container):
                break
            await asyncio.sleep(delay)
    except RuntimeFailure as error:
        log.debug("exit of %s: %s", container, error)
    queue.put_nowait(view.owner(container) or "")
