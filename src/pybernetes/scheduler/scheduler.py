"""The scheduler as a component: informers in, bindings, conditions and events out.

One loop works in changes and places pods, for a few milliseconds at a time; bindings run beside it. A pod that was
placed is assumed on its node until the informer shows it there; if its binding fails, the assumption is taken back
and the pod rests for a while.
"""

import asyncio
import logging
import random
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pybernetes.api.apps.replica_set import ReplicaSet
from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.core.replication_controller import ReplicationController
from pybernetes.api.core.service import Service
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, NotFound, Unreachable
from pybernetes.client.informer import Informers
from pybernetes.scheduler.config import Config
from pybernetes.scheduler.core import Decision, schedule_one
from pybernetes.scheduler.defaultspread import DefaultSelectors
from pybernetes.scheduler.evaluation import Evaluations
from pybernetes.scheduler.explain import Verdict, explain
from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.intake import Intake
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.preemptor import Preemptor
from pybernetes.scheduler.queue import SchedulingQueue, Waiting
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.types import Clock, Recorder, Rng
from pybernetes.scheduler.writer import Writer, bind, patch_status, unscheduled_patch

log = logging.getLogger(__name__)

GATED = "Scheduling is blocked due to non-empty scheduling gates"


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The present, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never jump."""
        return time.monotonic()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What is remembered of the last decision about a pod, for `why`."""

    when: datetime
    node_name: str
    feasible: int
    score: int
    message: str


class Scheduler:
    """Places the pods of one scheduler name. The informers and the recorder are run by others."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        recorder: Recorder,
        config: Config | None = None,
        rng: Rng | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.config = config or Config()
        self._client = client
        self._recorder = recorder
        self._rng = rng or random.Random()
        self._clock: Clock = clock or SystemClock()
        self._informers = informers
        self._pods = informers.of(Pod)
        self._selectors = self._default_selectors()
        self.snapshot = Snapshot(
            hard_affinity_weight=self.config.hard_pod_affinity_weight,
            default_selector=self._selectors if self.config.default_spreading else lambda _: None,
        )
        self.queue = SchedulingQueue(self.config)
        self.outcomes: OrderedDict[str, Outcome] = OrderedDict()
        """By pod uid, the latest last."""
        self._evaluations = Evaluations(self.snapshot)
        self._writer = Writer(self.config.parallel_bindings)
        self._awake = asyncio.Event()
        self.nominations = Nominations()
        self.preemptor = Preemptor(
            client,
            self.snapshot,
            self.nominations,
            writer=self._writer,
            recorder=recorder,
            scheduler_name=self.config.scheduler_name,
            rng=self._rng,
            clock=self._clock,
            slice_seconds=self.config.slice_seconds,
        )
        self._intake = Intake(
            self.snapshot,
            self.queue,
            self.nominations,
            scheduler_name=self.config.scheduler_name,
            monotonic=self._clock.monotonic,
            wake=self._awake.set,
            gated=self._report_gated,
        )

    def _default_selectors(self) -> DefaultSelectors:
        of = self._informers.of
        return DefaultSelectors(of(Service).cache, of(ReplicaSet).cache, of(ReplicationController).cache)

    async def run(self) -> None:
        """Schedule until cancelled."""
        of = self._informers.of
        of(Node).add_handler(self._intake.on_node)
        of(Namespace).add_handler(self._intake.on_namespace)
        self._pods.add_handler(self._intake.on_pod)
        of(Service).add_handler(self._workload_changed)
        of(ReplicaSet).add_handler(self._workload_changed)
        of(ReplicationController).add_handler(self._workload_changed)
        for informer in (of(Node), of(Namespace), self._pods, of(Service), of(ReplicaSet), of(ReplicationController)):
            await informer.synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop(), name="scheduler loop")
            group.create_task(self._writer.run(), name="scheduler writers")

    def explain(self, pod: Pod) -> list[Verdict]:
        """What each node has for and against a pod; one that is placed is looked at as if it were not yet."""
        placed = self.snapshot.remove_pod(pod.metadata.uid)
        try:
            return explain(self.snapshot, self.snapshot.templates.of(pod))
        finally:
            if placed is not None:
                self.snapshot.restore(placed)

    # --- the loop

    async def _loop(self) -> None:
        while True:
            self._awake.clear()
            if self._slice():
                await asyncio.sleep(0)
            else:
                await self._rest()

    def _slice(self) -> bool:
        """Work for a few milliseconds; whether there is more to do."""
        end = self._clock.monotonic() + self.config.slice_seconds
        while len(self._intake):
            self._intake.apply_next()
            if self._clock.monotonic() >= end:
                return True
        self.queue.advance(self._clock.monotonic())
        while (item := self.queue.pop()) is not None:
            self._schedule(item)
            if self._clock.monotonic() >= end:
                return True
        return False

    async def _rest(self) -> None:
        due = self.queue.next_due()
        wait = None if due is None else max(due - self._clock.monotonic(), 0.001)
        try:
            async with asyncio.timeout(wait):
                await self._awake.wait()
        except TimeoutError:
            pass

    def _schedule(self, item: Waiting) -> None:
        decision = schedule_one(
            self.snapshot,
            item.pod,
            template=item.template,
            evaluations=self._evaluations,
            rng=self._rng,
            nominations=self.nominations,
        )
        if decision.failure is None:
            self._remember(decision, "")
            self._writer.submit(lambda: self._bind(item, decision))
        else:
            self._refused(item, decision, decision.failure)

    def _refused(self, item: Waiting, decision: Decision, failure: FitFailure) -> None:
        uid = item.pod.metadata.uid
        before = self.nominations.node_of(uid) or item.pod.status.nominated_node_name
        message = failure.message(self.preemptor.attempt(item, failure))
        nominated = self.nominations.node_of(uid)
        self._remember(decision, message)
        self.queue.failed(item, failure.plugins or ("NodeName",), self._clock.monotonic())
        self._report(item.pod, "Unschedulable", message, nominated if nominated != before else None)
        self._recorder.event(item.pod, "Warning", "FailedScheduling", message)

    async def _bind(self, item: Waiting, decision: Decision) -> None:
        pod, node_name = item.pod, decision.node_name
        if self.queue.get(pod.metadata.uid) is not item:
            # Deleted, or bound by someone else, since the decision.
            self.snapshot.forget(pod.metadata.uid)
            return
        try:
            await bind(self._client, pod, node_name)
        except NotFound:
            self.snapshot.forget(pod.metadata.uid)
            self.queue.remove(pod.metadata.uid)
        except (ApiError, Unreachable) as error:
            self._binding_failed(item, f"binding rejected: {error}")
        else:
            meta = pod.metadata
            text = f"Successfully assigned {meta.namespace}/{meta.name} to {node_name}"
            self._recorder.event(pod, "Normal", "Scheduled", text)

    def _binding_failed(self, item: Waiting, message: str) -> None:
        log.info("pod %s/%s: %s", item.pod.metadata.namespace, item.pod.metadata.name, message)
        self.snapshot.forget(item.pod.metadata.uid)
        if self.queue.get(item.pod.metadata.uid) is not item:
            return
        self.queue.failed(item, (), self._clock.monotonic())
        self._recorder.event(item.pod, "Warning", "FailedScheduling", message)
        self._report(item.pod, "SchedulerError", message)
        self._awake.set()

    # --- telling people

    def _report_gated(self, pod: Pod) -> None:
        self._report(pod, "SchedulingGated", GATED)

    def _report(self, pod: Pod, reason: str, message: str, nominated: str | None = None) -> None:
        patch = unscheduled_patch(pod, reason, message, self._clock.now(), nominated)
        if patch is not None:
            self._writer.submit(lambda: self._patch(pod, patch))

    async def _patch(self, pod: Pod, patch: dict[str, Any]) -> None:
        try:
            await patch_status(self._client, pod, patch)
        except (ApiError, Unreachable) as error:
            # The next attempt at the pod writes it again, if it is still there and still has no node.
            log.debug("status of pod %s/%s not written: %s", pod.metadata.namespace, pod.metadata.name, error)

    def _remember(self, decision: Decision, message: str) -> None:
        uid = decision.pod.metadata.uid
        self.outcomes.pop(uid, None)
        self.outcomes[uid] = Outcome(self._clock.now(), decision.node_name, decision.feasible, decision.score, message)
        while len(self.outcomes) > self.config.remembered_decisions:
            self.outcomes.popitem(last=False)

    def _workload_changed(self, old: object, new: object) -> None:
        self._selectors.changed()
