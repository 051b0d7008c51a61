"""A simulated container runtime: nothing runs, but states change as in a real runtime.

Its name in the Node's status is `simulated`. A thousand nodes can share one event loop: a runtime consists of a few
dicts and has no task. Containers exit when a test calls `finish`, when they are stopped, or after the time in an
annotation of their pod.
"""

import asyncio
import ipaddress
import itertools
from collections import deque
from collections.abc import AsyncGenerator, Callable

from msgspec.structs import replace

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
"""Annotation of a pod: its containers exit with code 0 after this number of seconds."""
EXIT_CODE = "pybernetes.io/simulated-exit-code"
"""Annotation of a pod: the exit code to use instead of 0."""

_NO_STREAMS = "the simulated runtime runs no containers and has no streams into them"


class SimulatedRuntime:
    """A `Runtime`. `address` allocates addresses of pods; each start takes `delay` seconds."""

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

    def _notify(self, uid: str) -> None:
        self._events.append(uid)
        self._event.set()

    async def version(self) -> RuntimeVersion:
        """Its name is `simulated`."""
        return RuntimeVersion("simulated", "1.0.0")

    async def status(self) -> RuntimeStatus:
        """Always ready."""
        return RuntimeStatus(ready=True, network_ready=True)

    async def list_pods(self) -> dict[str, tuple[PodRef, bool]]:
        """All pods."""
        return {
            sandbox.uid: (PodRef(sandbox.namespace, sandbox.name, sandbox.uid), sandbox.ready)
            for sandbox in self._sandboxes.values()
        }

    async def pod(self, uid: str) -> PodState:
        """Sandboxes and containers of one pod."""
        ids = self._by_pod.get(uid, ())
        sandboxes = [self._sandboxes[i] for i in ids if i in self._sandboxes]
        containers = [self._containers[i] for i in ids if i in self._containers]
        return PodState(tuple(reversed(sandboxes)), tuple(reversed(containers)))

    async def run_sandbox(self, spec: SandboxSpec) -> str:
        """Record a sandbox as running."""
        await self._delay_start()
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

    async def _delay_start(self) -> None:
        if self._delay:
            await asyncio.sleep(self._delay)

    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Record a sandbox and its containers as stopped."""
        sandbox = self._sandboxes.get(sandbox_id)
        if sandbox is None:
            return
        for info in [c for c in self._containers.values() if c.sandbox_id == sandbox_id and c.state == "running"]:
            self._end(info, 137)
        self._sandboxes[sandbox_id] = replace(sandbox, ready=False, ips=())

    async def remove_sandbox(self, sandbox_id: str) -> None:
        """Delete the record of a sandbox and its containers."""
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
        """Record a container as created."""
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
        """Record a container as running."""
        await self._delay_start()
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
        """Make a container exit."""
        info = self._containers.get(container_id)
        if info is not None and info.state == "running":
            self._end(info, exit_code)

    def _end(self, info: ContainerInfo, exit_code: int) -> None:
        reason = "Completed" if exit_code == 0 else "Error"
        now = self.clock()
        self._containers[info.id] = replace(info, state="exited", finished_at=now, exit_code=exit_code, reason=reason)
        sandbox = self._sandboxes.get(info.sandbox_id)
        self._notify(sandbox.uid if sandbox is not None else info.labels.get(POD_UID, ""))

    async def stop_container(self, container_id: str, timeout: int) -> None:
        """Record a container as exited, immediately, as a process that handles TERM."""
        info = self._containers.get(container_id)
        if info is not None and info.state == "running":
            self._end(info, 143 if timeout else 137)

    async def remove_container(self, container_id: str) -> None:
        """Delete the record of a container."""
        info = self._containers.pop(container_id, None)
        if info is not None:
            for ids in self._by_pod.values():
                if container_id in ids:
                    ids.remove(container_id)

    async def reopen_log(self, container_id: str) -> None:
        """Does nothing: there are no logs."""

    async def usage(self) -> list[Usage]:
        """Empty: nothing is used."""
        return []

    async def events(self) -> AsyncGenerator[str, None]:
        """uids of pods with a container that has exited."""
        while True:
            while self._events:
                yield self._events.popleft()
            self._event.clear()
            await self._event.wait()

    async def close(self) -> None:
        """Closes nothing."""

    async def image(self, name: str) -> ImageInfo | None:
        """Every image is available."""
        known = self._images.get(name)
        if known is None:
            known = self._images[name] = ImageInfo(id=name, tags=(name,))
        return known

    async def pull(self, name: str, auth: RegistryAuth | None = None) -> str:
        """Succeeds immediately."""
        self._images[name] = ImageInfo(id=name, tags=(name,))
        return name

    async def list_images(self) -> list[ImageInfo]:
        """Empty: images take no space."""
        return []

    async def remove_image(self, image_id: str) -> None:
        """Forget an image."""
        self._images.pop(image_id, None)

    async def image_filesystem(self) -> str:
        """Empty: there is none."""
        return ""

    async def exec_sync(self, container_id: str, command: tuple[str, ...], timeout: float) -> ExecResult:
        """Every command succeeds without output, so that exec probes pass."""
        info = self._containers.get(container_id)
        if info is None:
            raise NoSuch(f"container {container_id} not found")
        if info.state != "running":
            raise RuntimeRefused(f"container {container_id} is not running")
        return ExecResult(0, b"", b"")

    async def exec_url(
        self, container_id: str, command: tuple[str, ...], *, stdin: bool, stdout: bool, stderr: bool, tty: bool
    ) -> str:
        """Not supported."""
        raise RuntimeRefused(_NO_STREAMS)

    async def attach_url(self, container_id: str, *, stdin: bool, stdout: bool, stderr: bool, tty: bool) -> str:
        """Not supported."""
        raise RuntimeRefused(_NO_STREAMS)

    async def port_forward_url(self, sandbox_id: str, ports: tuple[int, ...]) -> str:
        """Not supported."""
        raise RuntimeRefused(_NO_STREAMS)


def addresses(cidr: str = "10.128.0.0/9") -> Callable[[], str]:
    """Allocates addresses in order, starting over at the end of the range."""
    network = ipaddress.ip_network(cidr)
    numbers = itertools.cycle(range(2, network.num_addresses - 1))
    return lambda: str(network.network_address + next(numbers))
