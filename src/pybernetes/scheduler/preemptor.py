"""Carries out preemption: decides whether a pod may, picks the victims, and sees them off.

Victims are deleted gracefully, with the condition DisruptionTarget that tells their owners why. The pod that they
make room for is nominated for the node and tries again when they are gone.
"""

import logging
from functools import partial

from pybernetes.api import time as times
from pybernetes.api.core.pod import Pod
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.scheduler.failure import NEVER, VICTIMS_LEAVING, FitFailure
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.preemption import Candidate, preempt
from pybernetes.scheduler.queue import Waiting
from pybernetes.scheduler.snapshot import Placed, Snapshot
from pybernetes.scheduler.types import Clock, Recorder, Rng
from pybernetes.scheduler.writer import Writer, patch_status

log = logging.getLogger(__name__)

_CANDIDATES = 10
"""Of more nodes than this that would do, none is looked for."""


class Preemptor:
    """Called when no node would take a pod."""

    def __init__(
        self,
        client: Client,
        snapshot: Snapshot,
        nominations: Nominations,
        *,
        writer: Writer,
        recorder: Recorder,
        scheduler_name: str,
        rng: Rng,
        clock: Clock,
        slice_seconds: float,
    ) -> None:
        self._client = client
        self._snapshot = snapshot
        self._nominations = nominations
        self._writer = writer
        self._recorder = recorder
        self._scheduler_name = scheduler_name
        self._rng = rng
        self._clock = clock
        self._slice_seconds = slice_seconds
        self._leaving: set[str] = set()
        """Uids of victims whose deletion has been asked for and not been seen yet."""

    def attempt(self, item: Waiting, failure: FitFailure) -> str:
        """Make room if that is possible; returns what to tell the user, nothing if room is being made."""
        pod, template = item.pod, item.template
        if not template.preempts:
            return NEVER
        if self._waits_for_victims(item):
            return VICTIMS_LEAVING
        end = self._clock.monotonic() + self._slice_seconds

        def enough(found: int) -> bool:
            return found >= _CANDIDATES or self._clock.monotonic() >= end

        offset = self._rng.randrange(len(failure.hopeful)) if failure.hopeful else 0
        result = preempt(self._snapshot, template, failure, enough, offset)
        if result.candidate is None:
            self._nominations.remove(pod.metadata.uid)
            return failure.preemption_text(reasons=result.reasons, tried=result.tried)
        self._make_room(item, result.candidate)
        return ""

    def _waits_for_victims(self, item: Waiting) -> bool:
        """Whether pods less important are about to leave the node that the pod waits for."""
        self._leaving &= self._snapshot.placed.keys()
        name = self._nominations.node_of(item.pod.metadata.uid)
        return any(
            (placed.terminating or uid in self._leaving) and placed.template.priority < item.template.priority
            for uid, placed in self._snapshot.on_node.get(name, {}).items()
        )

    def _make_room(self, item: Waiting, candidate: Candidate) -> None:
        for nomination in self._nominations.behind(candidate.node_name, item.template.priority):
            self._nominations.remove(nomination.pod.metadata.uid)
            self._writer.submit(partial(self._clear_nomination, nomination.pod))
        self._nominations.put(item.pod, item.template, candidate.node_name)
        for victim in candidate.victims:
            self._leaving.add(victim.pod.metadata.uid)
            self._writer.submit(partial(self._evict, item.pod, victim))

    async def _clear_nomination(self, pod: Pod) -> None:
        patch = {"metadata": {"uid": pod.metadata.uid}, "status": {"nominatedNodeName": None}}
        try:
            await patch_status(self._client, pod, patch)
        except (ApiError, Unreachable) as error:
            log.debug("nomination of pod %s/%s stays: %s", pod.metadata.namespace, pod.metadata.name, error)

    async def _evict(self, preemptor: Pod, victim: Placed) -> None:
        pod, meta = victim.pod, victim.pod.metadata
        try:
            await patch_status(self._client, pod, self._disruption(pod))
            await self._client.of(Pod).delete(meta.name, namespace=meta.namespace, uid=meta.uid)
        except NotFound:
            return
        except (ApiError, Unreachable) as error:
            log.warning("pod %s/%s could not be preempted: %s", meta.namespace, meta.name, error)
            self._leaving.discard(meta.uid)
            return
        text = f"Preempted by pod {preemptor.metadata.uid} on node {victim.node_name}"
        self._recorder.event(pod, "Normal", "Preempted", text)

    def _disruption(self, pod: Pod) -> dict[str, object]:
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": f"{self._scheduler_name}: preempting to accommodate a higher priority pod",
            "lastTransitionTime": times.seconds(self._clock.now()),
        }
        return {"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}}
