"""Image garbage collection: removes unused images when their filesystem gets full. The choice is pure."""

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping

from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.pods import PodRegistry
from pybernetes.kubelet.podspec import all_containers
from pybernetes.kubelet.runtime import ImageInfo, Runtime, RuntimeFailure
from pybernetes.kubelet.types import Clock

log = logging.getLogger(__name__)

_PERIOD = 300.0


class ImageCollector:
    """Collects images every five minutes."""

    def __init__(self, config: KubeletConfig, runtime: Runtime, clock: Clock, registry: PodRegistry) -> None:
        self._config = config
        self._runtime = runtime
        self._clock = clock
        self._registry = registry
        self._last_used: dict[str, float] = {}

    async def run(self) -> None:
        """Collect until cancelled."""
        while True:
            try:
                await self.collect()
            except (RuntimeFailure, OSError) as error:
                log.warning("image garbage collection: %s", error)
            await asyncio.sleep(_PERIOD)

    async def collect(self, percent: int | None = None) -> list[str]:
        """Remove images if the filesystem is too full; returns their ids. Tests give the usage as `percent`."""
        images = await self._runtime.list_images()
        used = {container.image for pod in self._registry.all() for container in all_containers(pod)}
        now = self._clock()
        for image in images:
            if image.id not in self._last_used or used & {image.id, *image.tags, *image.digests}:
                self._last_used[image.id] = now
        path = await self._runtime.image_filesystem()
        total, in_use = _usage(path)
        if percent is not None:
            in_use = total * percent // 100
        if not total or in_use * 100 < total * self._config.image_gc_high_percent:
            return []
        excess = in_use - total * self._config.image_gc_low_percent // 100
        removed = []
        for image in removable(images, used, self._last_used, excess, now - self._config.image_minimum_age):
            log.info("removing image %s", ", ".join(image.tags) or image.id)
            await self._runtime.remove_image(image.id)
            self._last_used.pop(image.id, None)
            removed.append(image.id)
        return removed


def removable(
    images: Iterable[ImageInfo], used: set[str], last_used: Mapping[str, float], excess: int, before: float
) -> list[ImageInfo]:
    """The images to remove in order to free `excess` bytes, least recently used first.

    Images in use, images used after `before`, and the pause image are never removed.
    """
    candidates = [
        image
        for image in images
        if not used & {image.id, *image.tags, *image.digests}
        and last_used.get(image.id, 0.0) <= before
        and not any("/pause:" in tag for tag in image.tags)
    ]
    chosen = []
    for image in sorted(candidates, key=lambda i: last_used.get(i.id, 0.0)):
        if excess <= 0:
            break
        chosen.append(image)
        excess -= image.size
    return chosen


def _usage(path: str) -> tuple[int, int]:
    """(capacity, used bytes) of the filesystem that contains the path."""
    if not path or not os.path.exists(path):
        return 0, 0
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize, (found.f_blocks - found.f_bavail) * found.f_frsize
