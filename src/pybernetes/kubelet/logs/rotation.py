"""Rotates containers' logs: renames a large log file and makes the runtime open a new one.

`0.log` becomes `0.log.20260102-150405`. All rotated files except the newest are compressed, and the oldest are removed.
"""

import asyncio
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.logs.files import prune
from pybernetes.kubelet.pods import PodRegistry
from pybernetes.kubelet.runtime import ContainerInfo, Runtime, RuntimeFailure

log = logging.getLogger(__name__)

_PERIOD = 10.0


class LogRotator:
    """Checks the logs of running containers every ten seconds."""

    def __init__(self, config: KubeletConfig, runtime: Runtime, registry: PodRegistry) -> None:
        self._config = config
        self._runtime = runtime
        self._registry = registry

    async def run(self) -> None:
        """Rotate until cancelled."""
        while True:
            await asyncio.sleep(_PERIOD)
            large = await asyncio.to_thread(self._large)
            if large:
                await self.rotate(large)

    def _large(self) -> set[Path]:
        """The logs that exceed the maximum size."""
        return {path for path in self._config.pod_logs_dir.glob("*/*/*.log") if _size(path) > self._config.log_max_size}

    async def rotate(self, paths: set[Path]) -> None:
        """Rotate those of these logs whose containers run."""
        for pod in self._registry.all():
            try:
                state = await self._runtime.pod(pod.metadata.uid)
                for info in state.containers:
                    if info.state == "running" and Path(info.log_path) in paths:
                        await self._rotate(info)
            except (RuntimeFailure, OSError) as error:
                log.warning("rotating logs of pod %s: %s", pod.metadata.name, error)

    async def _rotate(self, info: ContainerInfo) -> None:
        path = Path(info.log_path)
        stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
        rotated = path.with_name(f"{path.name}.{stamp}")
        os.rename(path, rotated)
        try:
            await self._runtime.reopen_log(info.id)
        except RuntimeFailure:
            # The runtime still writes to the renamed file: restore its name.
            if not os.access(path, os.F_OK):
                os.rename(rotated, path)
            raise
        await asyncio.to_thread(prune, path, self._config.log_max_files)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
