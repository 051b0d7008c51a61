"""Lifecycle hooks (exec, HTTP, sleep) and termination messages."""

import asyncio
from pathlib import Path

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.probe import LifecycleHandler
from pybernetes.kubelet import names
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.errors import HookFailed
from pybernetes.kubelet.layout import PodDirs
from pybernetes.kubelet.logs.cri_log import tail_text
from pybernetes.kubelet.podspec import AnyContainer
from pybernetes.kubelet.probes import checks
from pybernetes.kubelet.runtime import ContainerInfo, RuntimeFailure, Streams

_MAX_MESSAGE = 4096
_MAX_LOG_LINES = 80
_MAX_LOG_BYTES = 2048
_HTTP_TIMEOUT = 30.0


class LifecycleHooks:
    """Runs hooks in containers or over the network."""

    def __init__(self, config: KubeletConfig, streams: Streams) -> None:
        self._config = config
        self._streams = streams
        self._messages: dict[str, str] = {}

    async def post_start(self, pod: Pod, container: AnyContainer, container_id: str, ip: str) -> None:
        """Run the postStart hook; raises HookFailed."""
        if container.lifecycle is not None and container.lifecycle.post_start is not None:
            await self._run(container.lifecycle.post_start, container, container_id, ip, 0.0)

    async def pre_stop(self, pod: Pod, container: AnyContainer, container_id: str, ip: str, grace: float) -> None:
        """Run the preStop hook for at most `grace` seconds; raises HookFailed."""
        if container.lifecycle is None or container.lifecycle.pre_stop is None:
            return
        try:
            async with asyncio.timeout(grace):
                await self._run(container.lifecycle.pre_stop, container, container_id, ip, grace)
        except TimeoutError as error:
            raise HookFailed(f"preStop hook did not finish within {grace:g} s") from error

    async def _run(
        self, handler: LifecycleHandler, container: AnyContainer, container_id: str, ip: str, timeout: float
    ) -> None:
        if handler.sleep is not None:
            await asyncio.sleep(handler.sleep.seconds)
        elif handler.exec is not None:
            await self._exec(tuple(handler.exec.command), container_id, timeout)
        elif handler.http_get is not None:
            result = await checks.http_get(handler.http_get, container, ip, timeout or _HTTP_TIMEOUT)
            if not result.ok:
                raise HookFailed(result.output)
        elif handler.tcp_socket is not None:
            raise HookFailed("tcpSocket is not supported as a lifecycle hook")

    async def _exec(self, command: tuple[str, ...], container_id: str, timeout: float) -> None:
        try:
            result = await self._streams.exec_sync(container_id, command, timeout)
        except RuntimeFailure as error:
            raise HookFailed(str(error)) from error
        if result.exit_code:
            output = (result.stdout + result.stderr).decode(errors="replace").strip()
            raise HookFailed(f"command {' '.join(command)!r} exited with {result.exit_code}: {output}")

    def termination_message(self, info: ContainerInfo) -> str:
        """The content of the termination message file, or of the log's end with FallbackToLogsOnError. Cached."""
        known = self._messages.get(info.id)
        if known is None:
            known = self._messages[info.id] = self._read_message(info)
            if len(self._messages) > 4096:
                del self._messages[next(iter(self._messages))]
        return known

    def _read_message(self, info: ContainerInfo) -> str:
        dirs = PodDirs(self._config.root_dir, info.labels.get(names.POD_UID, ""))
        text = _read_end(dirs.container(info.name) / f"{info.attempt:08x}", _MAX_MESSAGE)
        policy = info.annotations.get(names.CONTAINER_TERMINATION_MESSAGE_POLICY)
        if not text and policy == "FallbackToLogsOnError" and info.exit_code:
            text = tail_text(Path(info.log_path), _MAX_LOG_LINES, _MAX_LOG_BYTES)
        return text or info.message


def _read_end(path: Path, limit: int) -> str:
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - limit))
            return file.read(limit).decode(errors="replace")
    except OSError:
        return ""
