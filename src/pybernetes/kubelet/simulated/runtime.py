"""The simulated runtime: pods on paper. Nothing runs; every state changes as a real runtime's would.

It says that it is one (`simulated://`), and serves scale tests and unit tests of operators. A thousand nodes share
one event loop: an instance holds two dicts and no task. Containers end when told to (`finish`), when stopped, or
by themselves after the time that an annotation of their pod names.
"""

import asyncio
import ipaddress
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace

from pybernetes.kubelet.names import POD_UID
from pybernetes.kubelet.runtime import (
    ContainerInfo,
    ContainerSpec,
    ExecResult,
    ImageInfo,
    NoSuch,
    PodRef,
    PodState,
    RegistryAuth,
    RuntimeRefused,
    RuntimeStatus,
    RuntimeVersion,
    Sandbox,
    SandboxSpec,
    Usage,
)

RUN_SECONDS = "pybernetes.io/simulated-run-seconds"
"""Annotation of a pod: its containers end by themselves, with 0, after this long."""
EXIT_CODE = "pybernetes.io/simulated-exit-code"
"""Annotation of a pod: what they then end with instead."""

_NO_STREAMS = "the simulated runtime runs nothing: there are no streams into containers"


class SimulatedRuntime:
    """A `Runtime`. `address` hands out pods' addresses; `delay` is the time each start takes, in seconds."""

    def __init__(
        self, *, clock: Callable[[], float], address: Callable[[], str], delay: float = 0.0, node_name: str = "node"
    ) -> None:
        self.clock = clock
        self._address = address
        self._delay = delay
        self._prefix = node_name
        self._ids = itertools.count(1)
        self._sandboxes: dict[str, Sandbox] = {}
        self._containers: dict[str, ContainerInfo] = {}
        self._by_pod: dict[str, list[str]] = {}
        self._images: dict[str, ImageInfo] = {}
        self._events: deque[str] = deque([""])
        self._event = asyncio.Event()

    def _id(self) -> str:
        return f"{self._prefix}-{next(self._ids):08x}"

    def _tell(self, uid: str) -> None:
        self._events.append(uid)
        self._event.set()

    async def version(self) -> RuntimeVersion:
        """It says what it is."""
        return RuntimeVersion("simulated", "1.0.0")

    async def status(self) -> RuntimeStatus:
        """Always ready."""
        return RuntimeStatus(ready=True, network_ready=True)

    async def list_pods(self) -> dict[str, tuple[PodRef, bool]]:
        """Every pod on paper."""
        return {
            sandbox.uid: (PodRef(sandbox.namespace, sandbox.name, sandbox.uid), sandbox.ready)
            for sandbox in self._sandboxes.values()
        }

    async def pod(self, uid: str) -> PodState:
        """All there is of one pod."""
        ids = self._by_pod.get(uid, ())
        sandboxes = [self._sandboxes[i] for i in ids if i in self._sandboxes]
        containers = [self._containers[i] for i in ids if i in self._containers]
        return PodState(tuple(reversed(sandboxes)), tuple(reversed(containers)))

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Write down a sandbox."""
        await self._take_time()
        sandbox_id = self._id()
        host = spec.security.namespaces.network == "node"
        self._sandboxes[sandbox_id] = Sandbox(
            id=sandbox_id,
            name=spec.name,
            namespace=spec.namespace,
            uid=spec.uid,
            attempt=spec.attempt,
            ready=True,
            created_at=self.clock(),
            ips=() if host else (self._address(),),
        )
        self._by_pod.setdefault(spec.uid, []).append(sandbox_id)
        return sandbox_id

    async def _take_time(self) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """End all in it."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        for info in [c for c in self._containers.values() if c.sandbox_id == sandbox_id and c.state == "running"]:
            self._end(info, 137)
        self._sandboxes[sandbox_id] = replace(sandbox, ready=False, ips=())

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Strike it out, with its containers."""
        await self.stop_sandbox(sandbox_id)
        sandbox = self._sandboxes.pop(sandbox_id, None)
        if sandbox is None:
            return
        for info in [c for c in self._containers.values() if c.sandbox_id == sandbox_id]:
            del self._containers[info.id]
        left = [i for i in self._by_pod.get(sandbox.uid, []) if i in self._sandboxes or i in self._containers]
        if left:
            self._by_pod[sandbox.uid] = left
        else:
            self._by_pod.pop(sandbox.uid, None)

    async def create_container(self, sandbox_id: str, spec: ContainerSpec, sandbox: SandboxSpec) -> str:
        """Write down a container."""
        known = self._sandboxes.get(sandbox_id)
        if known is None or not known.ready:
            raise RuntimeRefused(f"sandbox {sandbox_id} is not ready")
        container_id = self._id()
        annotations = {k: v for k, v in sandbox.annotations.items() if k in (RUN_SECONDS, EXIT_CODE)}
        self._containers[container_id] = ContainerInfo(
            id=container_id,
            sandbox_id=sandbox_id,
            name=spec.name,
            attempt=spec.attempt,
            state="created",
            image=spec.image_name or spec.image,
            image_id=spec.image,
            created_at=self.clock(),
            labels=spec.labels,
            annotations={**spec.annotations, **annotations},
        )
        self._by_pod.setdefault(sandbox.uid, []).append(container_id)
        return container_id

    async def start_container(self, container_id: str) -> None:
        """Say that it runs."""
        await self._take_time()
        info = self._containers.get(container_id)
        if info is None:
            raise NoSuch(f"container {container_id} not found")
        if info.state != "created":
            raise RuntimeRefused(f"container {container_id} is {info.state}")
        self._containers[container_id] = replace(info, state="running", started_at=self.clock())
        seconds = info.annotations.get(RUN_SECONDS)
        if seconds is not None:
            code = int(info.annotations.get(EXIT_CODE, "0"))
            asyncio.get_running_loop().call_later(float(seconds), self.finish, container_id, code)

    def finish(self, container_id: str, exit_code: int) -> None:
        """The container's process ends by itself."""
        info = self._containers.get(container_id)
        if info is not None and info.state == "running":
            self._end(info, exit_code)

    def _end(self, info: ContainerInfo, exit_code: int) -> None:
        reason = "Completed" if exit_code == 0 else "Error"
        now = self.clock()
        self._containers[info.id] = replace(info, state="exited", finished_at=now, exit_code=exit_code, reason=reason)
        sandbox = self._sandboxes.get(info.sandbox_id)
        self._tell(sandbox.uid if sandbox is not None else info.labels.get(POD_UID, ""))

    async def stop_container(self, container_id: str, timeout: int) -> None:
        """Say that it has ended: at once, as a process that heeds TERM."""
        info = self._containers.get(container_id)
        if info is not None and info.state == "running":
            self._end(info, 143 if timeout else 137)

    async def remove_container(self, container_id: str) -> None:
        """Strike it out."""
        info = self._containers.pop(container_id, None)
        if info is not None:
            for ids in self._by_pod.values():
                if container_id in ids:
                    ids.remove(container_id)

    async def reopen_log(self, container_id: str) -> None:
        """There is no log."""

    async def usage(self) -> list[Usage]:
        """Nothing is used."""
        return []

    async def events(self) -> AsyncGenerator[str, None]:
        """uids of pods whose containers have ended."""
        while True:
            while self._events:
                yield self._events.popleft()
            self._event.clear()
            await self._event.wait()

    async def close(self) -> None:
        """Nothing is open."""

    async def image(self, name: str) -> ImageInfo | None:
        """Every image is there."""
        known = self._images.get(name)
        if known is None:
            known = self._images[name] = ImageInfo(id=name, tags=(name,))
        return known

    async def pull(self, name: str, auth: RegistryAuth | None = None) -> str:
        """Fetched at once."""
        self._images[name] = ImageInfo(id=name, tags=(name,))
        return name

    async def list_images(self) -> list[ImageInfo]:
        """Those asked for, without a size: they take no room."""
        return []

    async def remove_image(self, image_id: str) -> None:
        """Strike it out."""
        self._images.pop(image_id, None)

    async def image_filesystem(self) -> str:
        """None."""
        return ""

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        """Every command succeeds and says nothing, so that exec probes pass."""
        info = self._containers.get(container_id)
        if info is None:
            raise NoSuch(f"container {container_id} not found")
        if info.state != "running":
            raise RuntimeRefused(f"container {container_id} is not running")
        return ExecResult(0, b"", b"")

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        """There are no streams."""
        raise RuntimeRefused(_NO_STREAMS)

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        """There are no streams."""
        raise RuntimeRefused(_NO_STREAMS)

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        """There are no streams."""
        raise RuntimeRefused(_NO_STREAMS)


def addresses(cidr: str = "10.128.0.0/9") -> Callable[[], str]:
    """Addresses in order, starting anew at the end; shared by all simulated nodes of a process."""
    network = ipaddress.ip_network(cidr)
    numbers = itertools.cycle(range(2, network.num_addresses - 1))
    return lambda: str(network.network_address + next(numbers))
