"""Runs the probes of containers, one task per probe."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.probe import Probe
from pybernetes.kubelet.health import Health
from pybernetes.kubelet.podspec import AnyContainer, container_reference, find_container
from pybernetes.kubelet.probes import checks
from pybernetes.kubelet.probes.checks import Result
from pybernetes.kubelet.probes.state import (
    KINDS,
    ProbeKey,
    ProbeState,
    first_delay,
    first_state,
    health_of,
    may_run,
    period,
    probe_of,
)
from pybernetes.kubelet.runtime import CommandTimedOut, ContainerInfo, NoSuch, PodState, RuntimeFailure, Streams
from pybernetes.kubelet.types import Clock, Recorder

_TITLES = {"startup": "Startup", "liveness": "Liveness", "readiness": "Readiness"}
_MAX_OUTPUT = 10240


@dataclass(slots=True)
class _Target:
    """What one probe checks."""

    pod: Pod
    container: AnyContainer
    info: ContainerInfo
    probe: Probe
    ip: str
    task: asyncio.Task[None] | None = None


class _PodProbes:
    """The probes of one pod."""

    def __init__(self) -> None:
        self.targets: dict[ProbeKey, _Target] = {}
        self.states: dict[ProbeKey, ProbeState] = {}

    def stop(self, key: ProbeKey) -> None:
        """End one probe and drop its state."""
        task = self.targets.pop(key).task
        del self.states[key]
        if task is not None:
            task.cancel()


class ProbeManager:
    """Probes all containers of the node. Calls `changed` with the uid of a pod whose health has changed."""

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
        self._pods: dict[str, _PodProbes] = {}

    def update(self, pod: Pod, state: PodState) -> None:
        """Start and stop probes according to the pod's running containers."""
        uid = pod.metadata.uid
        wanted = self._targets(pod, state)
        probes = self._pods.setdefault(uid, _PodProbes())
        for key in [k for k in probes.targets if k not in wanted]:
            probes.stop(key)
        for key, target in wanted.items():
            if key in probes.targets:
                probes.targets[key].pod = pod
            else:
                self._start(probes, key, target)
        if not probes.targets:
            del self._pods[uid]

    def _targets(self, pod: Pod, state: PodState) -> dict[ProbeKey, _Target]:
        sandbox = state.sandbox
        ip = sandbox.ips[0] if sandbox is not None and sandbox.ips else self._node_ip
        found: dict[ProbeKey, _Target] = {}
        for info in state.containers:
            container = find_container(pod, info.name) if info.state == "running" else None
            if container is None:
                continue
            for kind in KINDS:
                probe = probe_of(container, kind)
                if probe is not None:
                    found[info.id, kind] = _Target(pod, container, info, probe, ip)
        return found

    def _start(self, probes: _PodProbes, key: ProbeKey, target: _Target) -> None:
        probes.targets[key] = target
        probes.states[key] = first_state(target.pod, target.info, key[1], target.probe)
        name = f"{key[1]} probe of {target.pod.metadata.name}/{target.container.name}"
        target.task = asyncio.get_running_loop().create_task(self._run(probes, key, target), name=name)

    def health(self, pod: Pod, state: PodState) -> Health:
        """The health of the pod's containers."""
        probes = self._pods.get(pod.metadata.uid)
        return health_of(state, probes.states if probes is not None else {})

    def stop(self, uid: str, *, keep_readiness: bool = False) -> None:
        """Stop probing a pod. With `keep_readiness`, its readiness probes continue."""
        probes = self._pods.get(uid)
        if probes is None:
            return
        for key in [k for k in probes.targets if not (keep_readiness and k[1] == "readiness")]:
            probes.stop(key)
        if not probes.targets:
            del self._pods[uid]

    async def close(self) -> None:
        """End all probes."""
        targets = [target for probes in self._pods.values() for target in probes.targets.values()]
        tasks = [target.task for target in targets if target.task is not None]
        for uid in list(self._pods):
            self.stop(uid)
        if tasks:
            await asyncio.wait(tasks)

    async def _run(self, probes: _PodProbes, key: ProbeKey, target: _Target) -> None:
        if probes.states[key].finished:
            return
        age = self._clock() - target.info.started_at
        await asyncio.sleep(first_delay(target.probe, age, self._spread()))
        while True:
            if may_run(key, probes.states):
                await self._try(probes, key, target)
            if probes.states[key].finished:
                return
            await asyncio.sleep(period(target.probe))

    async def _try(self, probes: _PodProbes, key: ProbeKey, target: _Target) -> None:
        result = await self._check(target)
        if result is None:
            return
        before = probes.states[key]
        after = probes.states[key] = before.after(result.ok)
        if not result.ok:
            message = f"{_TITLES[key[1]]} probe failed: {result.output}"
            reference = container_reference(target.pod, target.container.name)
            self._recorder.event(reference, "Warning", "Unhealthy", message)
        if after.finding != before.finding:
            self._changed(target.pod.metadata.uid)

    async def _check(self, target: _Target) -> Result | None:
        """Run the check once; None if the container no longer exists."""
        probe, container = target.probe, target.container
        timeout = float(probe.timeout_seconds or 1)
        if probe.exec is not None:
            return await self._exec(tuple(probe.exec.command), target.info.id, timeout)
        if probe.http_get is not None:
            return await checks.http_get(probe.http_get, container, target.ip, timeout)
        if probe.tcp_socket is not None:
            return await checks.tcp_socket(probe.tcp_socket, container, target.ip, timeout)
        if probe.grpc is not None:
            return await checks.grpc_health(probe.grpc, target.ip, timeout)
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
        output = (result.stdout + result.stderr).decode(errors="replace")[:_MAX_OUTPUT]
        return Result(result.exit_code == 0, output)
