"""Writes to the API server, a bounded number at a time: bindings, conditions, evictions by preemption."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from pybernetes.api import time as times
from pybernetes.api.core.binding import Binding
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.reference import ObjectReference
from pybernetes.api.meta import ObjectMeta
from pybernetes.client.client import Client
from pybernetes.client.resource import STRATEGIC_MERGE_PATCH

Write = Callable[[], Awaitable[None]]


class Writer:
    """Runs jobs in the order of submission with a fixed number of workers. A job handles its own failures."""

    def __init__(self, parallel: int) -> None:
        self._parallel = parallel
        self._jobs: asyncio.Queue[Write] = asyncio.Queue()

    def submit(self, job: Write) -> None:
        """Run a job when a worker is free."""
        self._jobs.put_nowait(job)

    async def run(self) -> None:
        """Work until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._parallel):
                group.create_task(self._work(), name=f"scheduler writer {number}")

    async def _work(self) -> None:
        while True:
            job = await self._jobs.get()
            await job()


async def bind(client: Client, pod: Pod, node_name: str) -> None:
    """Bind a pod to a node. The uid makes sure that a new pod of the same name is not bound instead."""
    meta = pod.metadata
    binding = Binding(
        api_version="v1",
        kind="Binding",
        metadata=ObjectMeta(name=meta.name, namespace=meta.namespace, uid=meta.uid),
        target=ObjectReference(kind="Node", name=node_name),
    )
    await client.of(Pod).call(meta.name, "binding", binding, namespace=meta.namespace)


def unscheduled_patch(
    pod: Pod, reason: str, message: str, now: datetime, nominated: str | None = None
) -> dict[str, Any] | None:
    """The status patch that reports why a pod has no node; None if the status reports it already.

    `nominated` sets status.nominatedNodeName, None leaves it unchanged.
    """
    old = next((condition for condition in pod.status.conditions if condition.type == "PodScheduled"), None)
    unchanged = old is not None and (old.status, old.reason, old.message) == ("False", reason, message)
    if unchanged and (nominated is None or nominated == pod.status.nominated_node_name):
        return None
    moment = old.last_transition_time if old is not None and old.status == "False" else times.seconds(now)
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastProbeTime": None,
        "lastTransitionTime": moment,
    }
    status: dict[str, Any] = {"conditions": [condition]}
    if nominated is not None:
        status["nominatedNodeName"] = nominated or None
    return {"metadata": {"uid": pod.metadata.uid}, "status": status}


async def patch_status(client: Client, pod: Pod, patch: dict[str, Any]) -> None:
    """Patch the status of a pod."""
    await client.of(Pod).patch(
        pod.metadata.name,
        patch,
        namespace=pod.metadata.namespace,
        subresource="status",
        content_type=STRATEGIC_MERGE_PATCH,
    )
