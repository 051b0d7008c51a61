"""The handlers of the kubelet's server."""

import asyncio
import os
import time
from pathlib import Path

import msgspec

from pybernetes.api.core.pod import Pod
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.logs.reader import LogOptions, read_log
from pybernetes.kubelet.pods import PodRegistry
from pybernetes.kubelet.podspec import find_container
from pybernetes.kubelet.runtime import CommandTimedOut, ContainerInfo, Runtime
from pybernetes.kubelet.server import http, stats
from pybernetes.kubelet.server.http import Request
from pybernetes.kubelet.server.tunnel import UpgradeRefused, check_upgrade, tunnel
from pybernetes.kubelet.types import rfc3339, seconds_of

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_RUN_TIMEOUT = 60.0


class Refused(Exception):
    """The request is refused; `status` is the HTTP status code."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Handlers:
    """One method per kind of request."""

    def __init__(self, config: KubeletConfig, runtime: Runtime, registry: PodRegistry) -> None:
        self._config = config
        self._runtime = runtime
        self._registry = registry

    async def healthz(self, request: Request, connection: Connection) -> None:
        """Always ok."""
        await http.answer(connection[1], 200, b"ok")

    async def pods(self, request: Request, connection: Connection) -> None:
        """The pods of this node as a PodList."""
        items = [msgspec.structs.replace(p, api_version="v1", kind="Pod") for p in self._registry.all()]
        body = {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items}
        await http.answer(connection[1], 200, msgspec.json.encode(body), "application/json")

    async def metrics(self, request: Request, connection: Connection) -> None:
        """Metrics in Prometheus' text format."""
        text = stats.metrics(len(self._registry.by_uid), await self._runtime.usage())
        await http.answer(connection[1], 200, text.encode(), "text/plain; version=0.0.4")

    async def stats(self, request: Request, connection: Connection) -> None:
        """/stats/summary"""
        if request.segments[1] != "summary":
            raise Refused(404, "404 page not found")
        body = stats.summary(self._config.node_name, await self._runtime.usage())
        await http.answer(connection[1], 200, msgspec.json.encode(body), "application/json")

    async def logs(self, request: Request, connection: Connection) -> None:
        """A container's log."""
        _, namespace, pod_name, name = request.segments
        pod = self._pod(namespace, pod_name)
        options = log_options(request, time.time())
        info = await self._log_container(pod, name, previous=request.flag("previous"))
        uid = pod.metadata.uid

        async def alive() -> bool:
            state = await self._runtime.pod(uid)
            return any(c.id == info.id and c.state == "running" for c in state.containers)

        path = Path(info.log_path)
        if not os.access(path, os.R_OK):
            raise Refused(404, f"log of container {name} in pod {pod_name} does not exist: {path}")
        await http.stream(connection[1], read_log(path, options, alive))

    async def _log_container(self, pod: Pod, name: str, *, previous: bool) -> ContainerInfo:
        if find_container(pod, name) is None:
            raise Refused(404, f'container "{name}" not found in pod "{pod.metadata.name}"')
        state = await self._runtime.pod(pod.metadata.uid)
        found = [c for c in state.containers if c.name == name and c.state != "created"]
        if previous:
            if len(found) > 1 or (found and found[0].state == "exited"):
                return found[1] if len(found) > 1 else found[0]
            message = f'previous terminated container "{name}" in pod "{pod.metadata.name}" not found'
            raise Refused(400, message)
        if not found:
            reason = _waiting_reason(pod, name)
            message = f'container "{name}" in pod "{pod.metadata.name}" is waiting to start: {reason}'
            raise Refused(400, message)
        return found[0]

    async def exec(self, request: Request, connection: Connection) -> None:
        """Run a command in a container, over SPDY or WebSocket."""
        info = await self._running(request)
        command = request.all("command")
        if not command:
            raise Refused(400, "you must specify at least 1 command for the container")
        self._check(request)
        tty = request.flag("tty")
        url = await self._runtime.exec_url(
            info.id,
            command,
            stdin=request.flag("input"),
            stdout=request.flag("output"),
            stderr=request.flag("error") and not tty,
            tty=tty,
        )
        await self._tunnel(url, request, connection)

    async def attach(self, request: Request, connection: Connection) -> None:
        """Attach to the streams of a running container."""
        info = await self._running(request)
        self._check(request)
        tty = request.flag("tty")
        url = await self._runtime.attach_url(
            info.id,
            stdin=request.flag("input"),
            stdout=request.flag("output"),
            stderr=request.flag("error") and not tty,
            tty=tty,
        )
        await self._tunnel(url, request, connection)

    async def port_forward(self, request: Request, connection: Connection) -> None:
        """Forward ports to a pod."""
        pod = self._pod(request.segments[1], request.segments[2])
        self._check(request)
        ports = tuple(int(p) for text in request.all("port") for p in text.split(",") if p.isdigit())
        sandbox = (await self._runtime.pod(pod.metadata.uid)).sandbox
        if sandbox is None or not sandbox.ready:
            raise Refused(400, f"pod {pod.metadata.name} is not running")
        await self._tunnel(await self._runtime.port_forward_url(sandbox.id, ports), request, connection)

    async def run(self, request: Request, connection: Connection) -> None:
        """Run a command without streams and return its output."""
        info = await self._running(request)
        command = tuple(request.get("cmd").split())
        try:
            result = await self._runtime.exec_sync(info.id, command, _RUN_TIMEOUT)
        except CommandTimedOut as error:
            raise Refused(504, str(error)) from error
        if result.exit_code:
            raise Refused(500, f"command exited with {result.exit_code}: {result.stderr.decode(errors='replace')}")
        await http.answer(connection[1], 200, result.stdout + result.stderr)

    def _pod(self, namespace: str, name: str) -> Pod:
        pod = self._registry.find(namespace, name)
        if pod is None:
            raise Refused(404, f'pod "{name}" not found')
        return pod

    async def _running(self, request: Request) -> ContainerInfo:
        namespace, pod_name, name = request.segments[1], request.segments[2], request.segments[-1]
        pod = self._pod(namespace, pod_name)
        info = (await self._runtime.pod(pod.metadata.uid)).latest(name)
        if info is None:
            raise Refused(404, f'container not found ("{name}")')
        if info.state != "running":
            raise Refused(400, f"container {name} in pod {pod_name} is not running")
        return info

    def _check(self, request: Request) -> None:
        try:
            check_upgrade(request)
        except UpgradeRefused as error:
            raise Refused(400, str(error)) from error

    async def _tunnel(self, url: str, request: Request, connection: Connection) -> None:
        try:
            await tunnel(url, request, *connection)
        except OSError as error:
            raise Refused(502, f"streaming server of the runtime: {error}") from error


def _waiting_reason(pod: Pod, name: str) -> str:
    statuses = [*pod.status.init_container_statuses, *pod.status.container_statuses]
    for status in statuses:
        if status.name == name and status.state.waiting is not None:
            waiting = status.state.waiting
            # Like kubelet, show the message of ErrImagePull and the reason of all others.
            return waiting.message or waiting.reason if waiting.reason == "ErrImagePull" else waiting.reason
    return "PodInitializing" if pod.spec.init_containers else "ContainerCreating"


def log_options(request: Request, now: float) -> LogOptions:
    """Parse the parameters of a request for logs; raises Refused. Pure."""
    since = ""
    try:
        if request.get("sinceSeconds"):
            since = rfc3339(now - int(request.get("sinceSeconds")))
        elif request.get("sinceTime"):
            since = rfc3339(seconds_of(request.get("sinceTime")))
        tail = int(request.get("tailLines")) if request.get("tailLines") else None
        limit = int(request.get("limitBytes")) if request.get("limitBytes") else None
    except ValueError as error:
        raise Refused(400, f"bad parameter: {error}") from error
    if (tail is not None and tail < 0) or (limit is not None and limit < 1):
        raise Refused(422, "tailLines must not be negative, and limitBytes must be at least 1")
    stream = request.get("stream", "All").lower()
    return LogOptions(
        follow=request.flag("follow"),
        timestamps=request.flag("timestamps"),
        tail_lines=tail,
        limit_bytes=limit,
        since=since,
        streams=frozenset(("stdout", "stderr")) if stream == "all" else frozenset((stream,)),
    )
