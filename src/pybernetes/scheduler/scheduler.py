"""The scheduler as a component: informers in; bindings, conditions and events out.

One loop applies changes and places pods, for a few milliseconds at a time; bindings run concurrently. A placed pod is
assumed on its node until the informer shows it there; if its binding fails, the assumption is taken back and the pod
backs off.
"""

import asyncio
import logging
import random
import time
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from pybernetes.api.core.namespace import Namespace
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.meta import Object
from pybernetes.client.client import Client
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.client.informer import Cache, Informer, Informers
from pybernetes.scheduler.assembly import assemble_all
from pybernetes.scheduler.binding import Binder, Rejection
from pybernetes.scheduler.config import Config
from pybernetes.scheduler.core import Decision, schedule_one
from pybernetes.scheduler.evaluation import Evaluations
from pybernetes.scheduler.explain import Verdict, explain
from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.handle import Handle
from pybernetes.scheduler.intake import Intake
from pybernetes.scheduler.nominations import Nominations
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.queue import SchedulingQueue, Waiting
from pybernetes.scheduler.registry import IN_TREE, Entry
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.types import Clock, Recorder, Rng
from pybernetes.scheduler.writer import Writer, patch_status, unscheduled_patch

log = logging.getLogger(__name__)

K = TypeVar("K", bound=Object)


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The current time in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds of a monotonic clock."""
        return time.monotonic()


class FollowedObjects:
    """The caches of informers; remembers which kinds plugins asked for, so that the scheduler follows them."""

    def __init__(self, informers: Informers) -> None:
        self._informers = informers
        self.followed: dict[type[Object], Informer[Any]] = {}

    def of(self, kind: type[K], /) -> Cache[K]:
        """The cache of a kind."""
        informer = self._informers.of(kind)
        self.followed[kind] = informer
        return informer.cache


@dataclass(frozen=True, slots=True)
class Outcome:
    """The last decision about a pod, kept for `pybernetes why`."""

    when: datetime
    node_name: str
    feasible: int
    score: int
    message: str


@dataclass(frozen=True, slots=True)
class Framework:
    """A profile at work."""

    profile: Profile
    handle: Handle
    evaluations: Evaluations


class Scheduler:
    """Places the pods of its profiles. The caller runs the informers and the recorders."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        recorders: Mapping[str, Recorder],
        config: Config | None = None,
        rng: Rng | None = None,
        clock: Clock | None = None,
        registry: Iterable[Entry] = IN_TREE,
    ) -> None:
        """`recorders` are by scheduler name. Raises ConfigurationError."""
        self.config = config or Config()
        self._rng = rng or random.Random()
        self._clock: Clock = clock or SystemClock()
        self._client = client
        self._informers = informers
        self._objects = FollowedObjects(informers)
        self.profiles = assemble_all(self.config.profiles, registry, self._objects)
        self.snapshot = Snapshot(traits={n: read for p in self.profiles.values() for n, read in p.traits.items()})
        # All profiles sort the queue alike: the configuration is refused otherwise.
        self.queue = SchedulingQueue(self.config, next(iter(self.profiles.values())).queue_sort)
        self.nominations = Nominations()
        self.outcomes: OrderedDict[str, Outcome] = OrderedDict()
        """By pod uid, the latest last."""
        self._writer = Writer(self.config.parallel_bindings)
        self._awake = asyncio.Event()
        self.frameworks = {name: self._framework(profile, recorders[name]) for name, profile in self.profiles.items()}
        self._binder = Binder(self.snapshot, self.queue, self._writer.submit, rejected=self._rejected)
        self._intake = Intake(
            self.snapshot,
            self.queue,
            self.nominations,
            profiles=self.profiles,
            monotonic=self._clock.monotonic,
            wake=self._awake.set,
        )

    def _framework(self, profile: Profile, recorder: Recorder) -> Framework:
        handle = Handle(
            scheduler_name=profile.scheduler_name,
            filters=profile.filters,
            client=self._client,
            snapshot=self.snapshot,
            nominations=self.nominations,
            recorder=recorder,
            clock=self._clock,
            rng=self._rng,
            submit=self._writer.submit,
            slice_seconds=self.config.slice_seconds,
        )
        return Framework(profile, handle, Evaluations(self.snapshot, profile))

    async def run(self) -> None:
        """Schedule until cancelled."""
        of = self._informers.of
        of(Node).add_handler(self._intake.on_node)
        of(Namespace).add_handler(self._intake.on_namespace)
        of(Pod).add_handler(self._intake.on_pod)
        for informer in self._objects.followed.values():
            informer.add_handler(self._intake.on_object)
        followed: list[Informer[Any]] = [of(Node), of(Namespace), of(Pod), *self._objects.followed.values()]
        for informer in followed:
            await informer.synced()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._loop(), name="scheduler loop")
            group.create_task(self._writer.run(), name="scheduler writers")
            group.create_task(self._binder.run(), name="scheduler permits")

    def explain(self, pod: Pod) -> list[Verdict]:
        """Why each node would or would not be chosen for a pod. A placed pod is evaluated as if it were not placed."""
        profile = self.profiles.get(pod.spec.scheduler_name) or next(iter(self.profiles.values()))
        placed = self.snapshot.remove_pod(pod.metadata.uid)
        try:
            return explain(self.snapshot, profile, self.snapshot.templates.of(pod))
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
        """Work for a few milliseconds; returns whether there is more to do."""
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

    # --- one pod

    def _schedule(self, item: Waiting) -> None:
        framework = self._framework_of(item)
        decision = schedule_one(
            self.snapshot,
            item.pod,
            template=item.template,
            evaluations=framework.evaluations,
            rng=self._rng,
            nominations=self.nominations,
        )
        if decision.failure is not None:
            self._refused(framework, item, decision, decision.failure)
            return
        self._remember(decision, "")
        self._binder.start(framework.profile, framework.handle, item, decision.node_name)

    def _framework_of(self, item: Waiting) -> Framework:
        return self.frameworks[item.template.scheduler_name]

    def _refused(self, framework: Framework, item: Waiting, decision: Decision, failure: FitFailure) -> None:
        uid = item.pod.metadata.uid
        before = self.nominations.node_of(uid) or item.pod.status.nominated_node_name
        message = failure.message(_post_filter(framework, item, failure))
        nominated = self.nominations.node_of(uid)
        self._remember(decision, message)
        self.queue.failed(item, failure.plugins, self._clock.monotonic())
        self._report(item.pod, "Unschedulable", message, nominated if nominated != before else None)
        framework.handle.recorder.event(item.pod, "Warning", "FailedScheduling", message)

    def _rejected(self, item: Waiting, rejection: Rejection) -> None:
        """A placed pod was not bound after all: it goes back into the queue."""
        pod, now = item.pod, self._clock.monotonic()
        if rejection.plugin:
            text = FitFailure(1, Counter({rejection.message: 1}), (rejection.plugin,), ()).message()
            reason = "Unschedulable"
            self.queue.failed(item, (rejection.plugin,), now)
        else:
            text, reason = rejection.message, "SchedulerError"
            self.queue.retry_later(item, now)
        log.info("pod %s/%s: %s", pod.metadata.namespace, pod.metadata.name, text)
        self._framework_of(item).handle.recorder.event(pod, "Warning", "FailedScheduling", text)
        self._report(pod, reason, text)
        self._awake.set()

    # --- reports

    def _report(self, pod: Pod, reason: str, message: str, nominated: str | None = None) -> None:
        patch = unscheduled_patch(pod, reason, message, self._clock.now(), nominated)
        if patch is not None:
            self._writer.submit(lambda: self._patch(pod, patch))

    async def _patch(self, pod: Pod, patch: dict[str, Any]) -> None:
        try:
            await patch_status(self._client, pod, patch)
        except (ApiError, Unreachable) as error:
            # The next attempt to schedule the pod writes it again, if the pod still exists and still has no node.
            log.debug("status of pod %s/%s not written: %s", pod.metadata.namespace, pod.metadata.name, error)

    def _remember(self, decision: Decision, message: str) -> None:
        uid = decision.pod.metadata.uid
        self.outcomes.pop(uid, None)
        self.outcomes[uid] = Outcome(self._clock.now(), decision.node_name, decision.feasible, decision.score, message)
        while len(self.outcomes) > self.config.remembered_decisions:
            self.outcomes.popitem(last=False)


def _post_filter(framework: Framework, item: Waiting, failure: FitFailure) -> str:
    """Call the PostFilter plugins until one makes room; the texts of those that could not."""
    texts = []
    for _, post_filter in framework.profile.post_filters:
        text = post_filter(framework.handle, item.pod, item.template, failure)
        if not text:
            return ""
        texts.append(text)
    return ", ".join(texts)
