"""Sets up, refreshes and tears down the volumes of all pods of the node, with the plugins of their kinds.

A lock per pod keeps its calls in sequence. The manager finds a volume's plugin by its source, and for volumes on disk
by the directory's name.
"""

import asyncio
import errno
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import Volume
from pybernetes.client.errors import ApiError, Unreachable
from pybernetes.kubelet.api_objects import ObjectKey
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.errors import VolumesNotReady
from pybernetes.kubelet.layout import PodDirs, directory_name
from pybernetes.kubelet.names import log_directory
from pybernetes.kubelet.types import Clock
from pybernetes.kubelet.volumes.ownership import give_to_group
from pybernetes.kubelet.volumes.plugin import (
    NEVER,
    MountedVolume,
    PublishedVolume,
    Target,
    VolumeError,
    VolumePlugin,
)
from pybernetes.linux import mount

log = logging.getLogger(__name__)


class VolumeManager:
    """Manages the volumes of the node's pods."""

    def __init__(self, config: KubeletConfig, plugins: Sequence[VolumePlugin[Any]], clock: Clock) -> None:
        self._config = config
        self._plugins = plugins
        self._by_directory = {directory_name(plugin.name): plugin for plugin in plugins}
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._published: dict[str, dict[str, PublishedVolume]] = {}

    def references(self, pod: Pod) -> set[ObjectKey]:
        """The API objects that the pod's volumes are made from."""
        found: set[ObjectKey] = set()
        for volume in pod.spec.volumes:
            plugin = self._plugin(volume)
            if plugin is not None:
                found.update(plugin.references(pod, plugin.source(volume)))
        return found

    def published(self, uid: str, name: str) -> PublishedVolume | None:
        """A volume of a pod; None if it has not been set up."""
        return self._published.get(uid, {}).get(name)

    async def set_up(self, pod: Pod) -> None:
        """Set up all volumes of a pod, or bring them up to date. Raises VolumesNotReady."""
        async with self._lock(pod.metadata.uid):
            await self._set_up(pod, pod.spec.volumes)
        unknown = [volume.name for volume in pod.spec.volumes if self._plugin(volume) is None]
        if unknown:
            raise VolumesNotReady(_no_plugin(unknown))

    async def refresh(self, pod: Pod) -> None:
        """Bring the volumes that may change up to date. If that fails now, they stay as they are."""
        uid = pod.metadata.uid
        if uid not in self._published:
            return
        changing = [v for v in pod.spec.volumes if (plugin := self._plugin(v)) is not None and plugin.refreshes]
        async with self._lock(uid):
            if uid not in self._published:
                return
            try:
                await self._set_up(pod, changing)
            except VolumesNotReady as error:
                log.info("volumes of pod %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)

    def due(self) -> set[str]:
        """The uids of pods with a volume whose `refresh_at` has come."""
        now = self._clock()
        return {uid for uid, volumes in self._published.items() if any(v.refresh_at <= now for v in volumes.values())}

    def next_refresh(self) -> float:
        """The earliest `refresh_at` of all volumes."""
        times = (v.refresh_at for volumes in self._published.values() for v in volumes.values())
        return min(times, default=NEVER)

    def _lock(self, uid: str) -> asyncio.Lock:
        return self._locks.setdefault(uid, asyncio.Lock())

    def _plugin(self, volume: Volume) -> VolumePlugin[Any] | None:
        return next((plugin for plugin in self._plugins if plugin.source(volume) is not None), None)

    async def _set_up(self, pod: Pod, volumes: Sequence[Volume]) -> None:
        uid = pod.metadata.uid
        dirs = PodDirs(self._config.root_dir, uid)
        try:
            present = await asyncio.to_thread(_prepare, dirs)
        except OSError as error:
            raise VolumesNotReady(f"error making pod data directories: {error.filename}: {error.strerror}") from error
        published = self._published.setdefault(uid, {})
        for volume in volumes:
            plugin = self._plugin(volume)
            if plugin is not None:
                directory = dirs.volume(plugin.name, volume.name)
                target = Target(pod=pod, name=volume.name, directory=directory, first=directory not in present)
                published[volume.name] = await set_up_volume(plugin, volume, target)

    async def tear_down(self, pod: Pod) -> None:
        """Remove everything that a pod has on disk. Only the pod's metadata is needed."""
        uid = pod.metadata.uid
        async with self._lock(uid):
            self._published.pop(uid, None)
            for directory in await asyncio.to_thread(_volume_directories, PodDirs(self._config.root_dir, uid)):
                plugin = self._by_directory.get(directory.parent.name)
                if plugin is not None:
                    await _tear_down(plugin, directory)
            await asyncio.to_thread(self._remove, pod)
        self._locks.pop(uid, None)

    def _remove(self, pod: Pod) -> None:
        meta = pod.metadata
        base = PodDirs(self._config.root_dir, meta.uid).base
        if base.exists():
            mount.unmount_all(base)
            left = mount.under(base)
            if left:
                # Removing files through a remaining mount would destroy files that do not belong to the pod.
                raise OSError(errno.EBUSY, "still mounted", left[0].target)
            shutil.rmtree(base)
        logs = self._config.pod_logs_dir
        if meta.name:
            shutil.rmtree(log_directory(str(logs), meta.namespace, meta.name, meta.uid), ignore_errors=True)
        else:
            for entry in logs.glob(f"*_{meta.uid}"):
                shutil.rmtree(entry, ignore_errors=True)

    def uids(self) -> set[str]:
        """The uids of pods with a directory."""
        try:
            return {entry.name for entry in (self._config.root_dir / "pods").iterdir()}
        except FileNotFoundError:
            return set()


async def set_up_volume(plugin: VolumePlugin[Any], volume: Volume, target: Target) -> PublishedVolume:
    """Set up one volume, and apply fsGroup if its kind asks for it. Raises VolumesNotReady."""
    start = f'MountVolume.SetUp failed for volume "{volume.name}" : '
    try:
        published = await plugin.set_up(plugin.source(volume), target)
        if isinstance(published, MountedVolume) and published.apply_fs_group and target.fs_group is not None:
            await asyncio.to_thread(_apply_fs_group, target, published.path, target.fs_group)
    except (VolumeError, ApiError, Unreachable) as error:
        raise VolumesNotReady(f"{start}{error}") from error
    except OSError as error:
        raise VolumesNotReady(f"{start}{error.filename or ''}: {error.strerror}") from error
    return published


async def _tear_down(plugin: VolumePlugin[Any], directory: Path) -> None:
    try:
        await plugin.tear_down(directory)
    except VolumeError as error:
        message = f'UnmountVolume.TearDown failed for volume "{directory.name}" : {error}'
        raise OSError(errno.EIO, message, str(directory)) from error


def _apply_fs_group(target: Target, path: Path, group: int) -> None:
    """Change the volume's files. With OnRootMismatch, and if the volume existed before, only if its root differs."""
    context = target.pod.spec.security_context
    on_mismatch = context is not None and context.fs_group_change_policy == "OnRootMismatch"
    give_to_group(path, group, only_if_root_differs=on_mismatch or not target.first)


def _prepare(dirs: PodDirs) -> list[Path]:
    """Create the pod's directory; returns the directories of the volumes that exist already."""
    dirs.base.mkdir(parents=True, exist_ok=True, mode=0o750)
    return _volume_directories(dirs)


def _volume_directories(dirs: PodDirs) -> list[Path]:
    """The directories of all volumes that a pod has on disk."""
    return sorted(path for path in dirs.volumes.glob("*/*") if path.is_dir())


def _no_plugin(unknown: list[str]) -> str:
    """The message about volumes that no plugin takes, in kubelet's words."""
    listed = " ".join(unknown)
    return (
        f"Unable to attach or mount volumes: unmounted volumes=[{listed}], unattached volumes=[], "
        f'failed to process volumes=[{listed}]: failed to get Plugin from volumeSpec for volume "{unknown[0]}" '
        "err=no volume plugin matched"
    )
