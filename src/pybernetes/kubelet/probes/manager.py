"""The tasks that probe containers, one per probe, started and ended with the container that they look after."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.probe import Probe
from pybernetes.kubelet.podspec import AnyContainer, container_reference, find_container
from pybernetes.kubelet.probes import checks
from pybernetes.kubelet.probes.checks import Result
from pybernetes.kubelet.probes.threshold import Streak
from pybernetes.kubelet.runtime import CommandTimedOut, ContainerInfo, NoSuch, PodState, RuntimeFailure, Streams
from pybernetes.kubelet.services import Health
from pybernetes.kubelet.types import Clock, Recorder

Kind = Literal["startup", "liveness", "readiness"]
KINDS: tuple[Kind, ...] = ("startup", "liveness", "readiness")
_TITLES = {"startup": "Startup", "liveness": "Liveness", "readiness": "Readiness"}


@dataclass(slots=True)
class _Watch:
    """One probe of one container."""

    pod: Pod
    container: AnyContainer
    info: ContainerInfo
    kind: Kind
    probe: Probe
    ip: str
    streak: Streak = field(default_factory=Streak)
    task: asyncio.Task[None] | None = None


class ProbeManager:
    """Probes all containers of the node; `changed` is told the uid of a pod with a new finding."""

    def __init__(
        self,
        streams: Streams,
        *,
        recorder: Recorder,
        clock: Clock,
        changed: Callable[[str], None],
        node_ip: str,
        spread: Callable[[], float] = random.random,
    ) -> None:
        self._streams = streams
        self._recorder = recorder
        self._clock = clock
        self._changed = changed
        self._node_ip = node_ip
        self._spread = spread
        self._watches: dict[str, dict[tuple[str, Kind], _Watch]] = {}

    def update(self, pod: Pod, state: PodState) -> None:
        """Probe the containers that run now, and no others."""
        uid, sandbox = pod.metadata.uid, state.sandbox
        ip = sandbox.ips[0] if sandbox is not None and sandbox.ips else self._node_ip
        wanted: dict[tuple[str, Kind], tuple[AnyContainer, ContainerInfo, Probe]] = {}
        for info in state.containers:
            container = find_container(pod, info.name) if info.state == "running" else None
            for kind in KINDS if container is not None else ():
                probe = _probe(container, kind)
                if container is not None and probe is not None:
                    wanted[info.id, kind] = (container, info, probe)
        watches = self._watches.setdefault(uid, {})
        for key in [k for k in watches if k not in wanted]:
            _cancel(watches.pop(key))
        for key, (container, info, probe) in wanted.items():
            if key not in watches:
                watches[key] = watch = _Watch(pod, container, info, key[1], probe, ip, remembered(pod, info, key[1]))
                name = f"{key[1]} probe of {pod.metadata.name}/{container.name}"
                watch.task = asyncio.get_running_loop().create_task(self._run(watch), name=name)
            watches[key].pod = pod
        if not watches:
            del self._watches[uid]

    def health(self, pod: Pod, state: PodState) -> Health:
        """Started, ready and unhealthy containers. Without a probe a running container is started and ready."""
        watches = self._watches.get(pod.metadata.uid, {})
        started: set[str] = set()
        ready: set[str] = set()
        unhealthy: dict[str, str] = {}
        for info in state.containers:
            if info.state != "running":
                continue
            startup, liveness, readiness = (watches.get((info.id, kind)) for kind in KINDS)
            if startup is None or startup.streak.finding:
                started.add(info.id)
                if readiness is None or readiness.streak.finding:
                    ready.add(info.id)
            elif startup.streak.finding is False:
                unhealthy[info.id] = "startup"
            if liveness is not None and liveness.streak.finding is False:
                unhealthy[info.id] = "liveness"
        return Health(started, ready, unhealthy)

    def stop(self, uid: str, *, keep_readiness: bool = False) -> None:
        """Stop probing a pod, all but its readiness if `keep_readiness`."""
        watches = self._watches.get(uid, {})
        for key in [k for k in watches if not (keep_readiness and k[1] == "readiness")]:
            _cancel(watches.pop(key))
        if not watches:
            self._watches.pop(uid, None)

    async def close(self) -> None:
        """End all probes."""
        tasks = [w.task for watches in self._watches.values() for w in watches.values() if w.task is not None]
        for uid in list(self._watches):
            self.stop(uid)
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, watch: _Watch) -> None:
        probe = watch.probe
        period = float(probe.period_seconds or 10)
        if watch.kind == "startup" and watch.streak.finding:
            return
        await self._first_wait(watch, period)
        while True:
            if watch.kind == "startup" or self._has_started(watch):
                await self._try(watch)
            if watch.kind == "startup" and watch.streak.finding:
                return
            await asyncio.sleep(period)

    async def _first_wait(self, watch: _Watch, period: float) -> None:
        """The initial delay; after a restart of the kubelet, probes of old containers are spread over a period."""
        age = self._clock() - watch.info.started_at
        delay = float(watch.probe.initial_delay_seconds or 0) - age
        if delay > 0:
            await asyncio.sleep(delay)
        elif age > period:
            await asyncio.sleep(self._spread() * min(period, 1.0))
        else:
            # The process has only just been started: give it the moment to open its port.
            await asyncio.sleep(min(0.1, period))

    def _has_started(self, watch: _Watch) -> bool:
        startup = self._watches.get(watch.pod.metadata.uid, {}).get((watch.info.id, "startup"))
        return startup is None or bool(startup.streak.finding)

    async def _try(self, watch: _Watch) -> None:
        result = await self._check(watch)
        if result is None:
            return
        probe, before = watch.probe, watch.streak
        watch.streak = before.after(
            result.ok, successes=probe.success_threshold or 1, failures=probe.failure_threshold or 3
        )
        if not result.ok:
            message = f"{_TITLES[watch.kind]} probe failed: {result.output}"
            target = container_reference(watch.pod, watch.container.name)
            self._recorder.event(target, "Warning", "Unhealthy", message)
        if watch.streak.finding != before.finding:
            self._changed(watch.pod.metadata.uid)

    async def _check(self, watch: _Watch) -> Result | None:
        """One try; None if nothing can be said about the container (it is gone, or the runtime does not answer)."""
        probe, container = watch.probe, watch.container
        timeout = float(probe.timeout_seconds or 1)
        if probe.exec is not None:
            return await self._exec(tuple(probe.exec.command), watch.info.id, timeout)
        if probe.http_get is not None:
            return await checks.http_get(probe.http_get, container, watch.ip, timeout)
        if probe.tcp_socket is not None:
            return await checks.tcp_socket(probe.tcp_socket, container, watch.ip, timeout)
        if probe.grpc is not None:
            return await checks.grpc_health(probe.grpc, watch.ip, timeout)
        return None

    async def _exec(self, command: tuple[str, ...], container_id: str, timeout: float) -> Result | None:
        try:
            result = await self._streams.exec_sync(container_id, command, timeout)
        except CommandTimedOut as error:
            return Result(False, str(error))
        except NoSuch:
            return None
        except RuntimeFailure as error:
            return Result(False, str(error))
        output = (result.stdout + result.stderr).decode(errors="replace")[:10240]
        return Result(result.exit_code == 0, output)


def remembered(pod: Pod, info: ContainerInfo, kind: Kind) -> Streak:
    """What a former kubelet has found of this very container: a restart must not make ready pods unready. Pure."""
    status = pod.status
    for found in [*status.init_container_statuses, *status.container_statuses]:
        if found.container_id.endswith(f"://{info.id}"):
            known = found.ready if kind == "readiness" else bool(found.started) if kind == "startup" else False
            return Streak(finding=True) if known else Streak()
    return Streak()


def _probe(container: AnyContainer | None, kind: Kind) -> Probe | None:
    if container is None:
        return None
    return {
        "startup": container.startup_probe,
        "liveness": container.liveness_probe,
        "readiness": container.readiness_probe,
    }[kind]


def _cancel(watch: _Watch) -> None:
    if watch.task is not None:
        watch.task.cancel()
