"""Runs one pod on this node: a task that plans, acts, reports, and waits for the next change.

A pod terminates when it is deleted, when its deadline has passed, or when it is removed from the API server. The
first and the last interrupt what the worker is doing, for example an image pull; from then on it only terminates the
pod.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.container_statuses import Observed
from pybernetes.kubelet.crash_loop import Backoff
from pybernetes.kubelet.errors import StartFailed, VolumesNotReady
from pybernetes.kubelet.garbage import garbage
from pybernetes.kubelet.killing import kill_container, kill_pod
from pybernetes.kubelet.logs.files import remove_logs
from pybernetes.kubelet.plan import Inputs, Plan, make_plan
from pybernetes.kubelet.pod_status import Context, make_status
from pybernetes.kubelet.podspec import container_reference, grace_period, is_static
from pybernetes.kubelet.runtime import PodState, RuntimeFailure, RuntimeUnavailable
from pybernetes.kubelet.services import Services
from pybernetes.kubelet.starting import start_container
from pybernetes.kubelet.types import seconds_of
from pybernetes.kubelet.waiting import wait_at_most

log = logging.getLogger(__name__)

_RETRY_FIRST = 0.5
_RETRY_MAX = 15.0
_ORPHAN_GRACE = 1
_DEADLINE = ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")

Finish = Callable[[Pod], Awaitable[None]]
"""Deletes a terminated pod from the API server."""


class PodWorker:
    """Owns one pod (by uid). `run` returns when the pod has been removed from the node."""

    def __init__(self, services: Services, pod: Pod, finish: Finish) -> None:
        self.pod = pod
        self.removed = False
        self._services = services
        self._finish = finish
        self._wake = asyncio.Event()
        self._wake.set()
        self._step: asyncio.Task[float] | None = None
        self._grace: int | None = None
        self._retry = _RETRY_FIRST
        self._waiting: dict[str, tuple[str, str]] = {}
        self._backoffs: dict[str, Backoff] = {}
        self._failure: tuple[str, str] | None = None
        self._over = False
        self._gone = False
        """The pod has been removed from the node, and the worker waits for the API server's response to the delete
        request. The watch may deliver the deletion earlier; that must not cancel the request."""
        self._volumes_ready = False

    @property
    def ending(self) -> bool:
        """Whether the pod terminates."""
        return self.removed or bool(self.pod.metadata.deletion_timestamp)

    def update(self, pod: Pod) -> None:
        """Take over a new version of the pod."""
        before = grace_period(self.pod) if self.ending else None
        self.pod = pod
        if self.ending and (before is None or grace_period(pod) < before):
            self._interrupt()
        self._wake.set()

    def remove(self) -> None:
        """Terminate the pod, without deleting it from the API server."""
        if not self.removed:
            self.removed = True
            if not self._gone:
                self._interrupt()
            self._wake.set()

    def poke(self) -> None:
        """Synchronize soon: the pod's state may have changed."""
        self._wake.set()

    def _interrupt(self) -> None:
        if self._step is not None:
            self._step.cancel()

    async def run(self) -> None:
        """Work until the pod has been removed from the node."""
        name = f"pod {self.pod.metadata.namespace}/{self.pod.metadata.name}"
        try:
            while not self._over:
                self._wake.clear()
                self._step = asyncio.create_task(self._attempt(), name=name)
                await asyncio.wait([self._step])
                if self._step.cancelled():
                    continue
                delay = self._step.result()
                if self._over:
                    return
                await wait_at_most(self._wake, delay)
        finally:
            self._interrupt()
            self._services.probes.stop(self.pod.metadata.uid)

    async def _attempt(self) -> float:
        """Synchronize once; returns the number of seconds until the next time."""
        try:
            return await (self._end() if self.ending else self._sync())
        except (RuntimeFailure, OSError) as error:
            log.warning("pod %s/%s: %s", self.pod.metadata.namespace, self.pod.metadata.name, error)
        except Exception:
            # An unexpected error in one pod must not stop the others: log the traceback and retry.
            log.exception("pod %s/%s", self.pod.metadata.namespace, self.pod.metadata.name)
        return self._failed()

    def _failed(self) -> float:
        """The number of seconds until the next attempt; doubles with each failure in a row."""
        delay, self._retry = self._retry, min(self._retry * 2, _RETRY_MAX)
        return delay

    async def _sync(self) -> float:
        pod, services = self.pod, self._services
        uid, now = pod.metadata.uid, services.clock()
        state = await services.runtime.pod(uid)
        if self._deadline(pod, now) <= 0:
            self._failure = _DEADLINE
        if self._failure is not None or services.status.last(pod).phase in ("Failed", "Succeeded"):
            await self._shut_down(pod, state)
            return services.config.sync_period
        await self._adopt(pod, state)
        while True:
            services.probes.update(pod, state)
            plan = self._plan(pod, state)
            self._report(pod, state, plan)
            if plan.empty:
                break
            delay = await self._carry_out(pod, state, plan)
            state = await services.runtime.pod(uid)
            if delay is not None:
                services.probes.update(pod, state)
                self._report(pod, state, self._plan(pod, state))
                return min(delay, self._pause(pod, plan))
        await self._collect(state)
        return self._pause(pod, plan)

    async def _adopt(self, pod: Pod, state: PodState) -> None:
        """Take over a pod that a previous run of the kubelet has started, so that its volumes are refreshed."""
        if self._volumes_ready or state.sandbox is None or not state.sandbox.ready:
            return
        try:
            await self._services.volumes.set_up(pod)
            self._volumes_ready = True
        except VolumesNotReady as error:
            self._services.recorder.event(pod, "Warning", "FailedMount", str(error))

    async def _collect(self, state: PodState) -> None:
        """Remove old containers with their logs, and old sandboxes."""
        containers, sandboxes = garbage(state)
        for info in containers:
            await self._services.runtime.remove_container(info.id)
            if info.log_path:
                await asyncio.to_thread(remove_logs, Path(info.log_path))
        for sandbox in sandboxes:
            await self._services.runtime.remove_sandbox(sandbox.id)

    def _pause(self, pod: Pod, plan: Plan) -> float:
        """The number of seconds until the next synchronization if nothing happens."""
        now = self._services.clock()
        pause = min(self._services.config.sync_period, self._deadline(pod, now))
        if plan.again_at:
            pause = min(pause, plan.again_at - now)
        return max(pause, 0.01)

    def _deadline(self, pod: Pod, now: float) -> float:
        """Seconds left of activeDeadlineSeconds."""
        limit = pod.spec.active_deadline_seconds
        start = seconds_of(self._services.status.last(pod).start_time)
        return start + limit - now if limit is not None and start else float("inf")

    def _plan(self, pod: Pod, state: PodState) -> Plan:
        health = self._services.probes.health(pod, state)
        now = self._services.clock()
        return make_plan(pod, state, Inputs(now, self._backoffs, health.unhealthy, health.started))

    def _report(self, pod: Pod, state: PodState, plan: Plan | None = None, *, final: bool = False) -> None:
        services = self._services
        health = services.probes.health(pod, state)
        waiting = {**self._waiting, **(plan.waiting if plan is not None else {})}
        for name, reason in (plan.waiting if plan is not None else {}).items():
            if self._waiting.get(name) != reason:
                message = f"Back-off restarting failed container {name} in pod {pod.metadata.name}_"
                message += f"{pod.metadata.namespace}({pod.metadata.uid})"
                services.recorder.event(container_reference(pod, name), "Warning", "BackOff", message)
                self._waiting[name] = reason
        observed = Observed(
            runtime_name=services.runtime_name,
            waiting=waiting,
            started=health.started,
            ready=health.ready,
            messages={i.id: services.hooks.termination_message(i) for i in state.containers if i.state == "exited"},
            final=final,
        )
        context = Context(
            now=services.clock(), host_ips=services.config.node_ips, observed=observed, failure=self._failure
        )
        services.status.set(pod, make_status(pod, services.status.last(pod), state, context))

    async def _carry_out(self, pod: Pod, state: PodState, plan: Plan) -> float | None:
        """Execute a plan; returns the delay before the next attempt if an action failed."""
        services, grace = self._services, grace_period(pod)
        for kill in plan.kills:
            seconds = grace if kill.grace_override is None else kill.grace_override
            await kill_container(services, pod, kill.info, state, seconds, kill.message)
        for info in plan.remove:
            await services.runtime.remove_container(info.id)
        if plan.stop_sandbox:
            await kill_pod(services, pod, state, grace)
            for sandbox in state.sandboxes:
                await services.runtime.stop_sandbox(sandbox.id)
        if plan.create_sandbox is not None:
            return await self._create_sandbox(pod, state, plan.create_sandbox, changed=plan.stop_sandbox)
        return await self._start_all(pod, state, plan)

    async def _create_sandbox(self, pod: Pod, state: PodState, attempt: int, *, changed: bool) -> float | None:
        services = self._services
        if state.sandbox is not None:
            message = "Pod sandbox changed, it will be killed and re-created."
            services.recorder.event(pod, "Normal", "SandboxChanged", message)
        try:
            services.cgroups.create(pod)
            await services.volumes.set_up(pod)
            self._volumes_ready = True
            await services.runtime.run_sandbox(services.specs.sandbox(pod, attempt))
        except VolumesNotReady as error:
            services.recorder.event(pod, "Warning", "FailedMount", str(error))
        except RuntimeUnavailable:
            raise
        except (RuntimeFailure, OSError) as error:
            message = f"Failed to create pod sandbox: {error}"
            services.recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)
        else:
            self._retry = _RETRY_FIRST
            return None
        return self._failed()

    async def _start_all(self, pod: Pod, state: PodState, plan: Plan) -> float | None:
        delays: list[float] = []
        if plan.starts:
            try:
                await self._services.volumes.set_up(pod)
            except VolumesNotReady as error:
                self._services.recorder.event(pod, "Warning", "FailedMount", str(error))
                return self._failed()
            self._retry = _RETRY_FIRST
        for start in plan.starts:
            name = start.container.name
            if start.backoff is not None:
                self._backoffs[name] = start.backoff
            try:
                await start_container(self._services, pod, state, start)
                self._waiting.pop(name, None)
            except StartFailed as error:
                self._waiting[name] = (error.reason, str(error))
                delays.append(error.retry_after)
        return min(delays) if delays else None

    async def _shut_down(self, pod: Pod, state: PodState) -> PodState:
        """Stop all containers and sandboxes. The exited containers stay, so that their logs can be read."""
        services, uid = self._services, pod.metadata.uid
        services.probes.stop(uid, keep_readiness=True)
        if state.running or any(s.ready for s in state.sandboxes):
            await kill_pod(services, pod, state, self._grace if self._grace is not None else grace_period(pod))
            for sandbox in state.sandboxes:
                await services.runtime.stop_sandbox(sandbox.id)
            state = await services.runtime.pod(uid)
        services.probes.stop(uid)
        self._report(pod, state, final=True)
        return state

    async def _end(self) -> float:
        """Terminate the pod and remove it from the node."""
        pod, services = self.pod, self._services
        uid = pod.metadata.uid
        requested = bool(pod.metadata.deletion_timestamp) or is_static(pod)
        self._grace = max(grace_period(pod), 1) if requested else _ORPHAN_GRACE
        state = await self._shut_down(pod, await services.runtime.pod(uid))
        for sandbox in state.sandboxes:
            await services.runtime.remove_sandbox(sandbox.id)
        for info in state.containers:
            await services.runtime.remove_container(info.id)
        await services.volumes.tear_down(pod)
        services.cgroups.remove(uid)
        if not self.removed:
            await services.status.written(uid)
            self._gone = True
            await self._finish(pod)
        services.status.forget(uid)
        self._over = True
        return 0.0
