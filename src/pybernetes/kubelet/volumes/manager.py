"""Sets up, updates and tears down pods' volumes on disk.

File work runs in a thread, so that a slow disk never holds up other pods. Volumes that are made from objects are
written again whenever one of the objects, the pod, or a token's age asks for it.
"""

import asyncio
import errno
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.volume import EmptyDirVolumeSource, Volume
from pybernetes.api.quantity import value
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.errors import VolumesNotReady
from pybernetes.kubelet.layout import PodDirs
from pybernetes.kubelet.names import log_directory
from pybernetes.kubelet.types import Clock
from pybernetes.kubelet.volumes import atomic_writer, host_path, ownership
from pybernetes.kubelet.volumes.payload import Payload, Sources, payload
from pybernetes.linux import mount

log = logging.getLogger(__name__)

_FROM_OBJECTS = ("config_map", "secret", "downward_api", "projected")
_IN_MEMORY = ("secret", "projected")
_SUPPORTED = (*_FROM_OBJECTS, "empty_dir", "host_path")


class VolumeManager:
    """The volumes of all pods of the node."""

    def __init__(self, config: KubeletConfig, sources: Sources, clock: Clock) -> None:
        self._config = config
        self._sources = sources
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}
        self._ready: set[str] = set()

    def is_ready(self, uid: str) -> bool:
        """Whether the volumes of a pod have been set up by this process."""
        return uid in self._ready

    async def set_up(self, pod: Pod) -> None:
        """Make all volumes ready; raises VolumesNotReady. Volumes that stand already are brought up to date."""
        uid = pod.metadata.uid
        async with self._locks.setdefault(uid, asyncio.Lock()):
            payloads: dict[str, Payload] = {}
            for volume in pod.spec.volumes:
                if source_of(volume) in _FROM_OBJECTS:
                    payloads[volume.name] = await payload(pod, volume, self._sources)
            try:
                await asyncio.to_thread(self._write, pod, payloads)
            except OSError as error:
                raise VolumesNotReady(f"MountVolume.SetUp failed: {error.filename or ''}: {error.strerror}") from error
            self._ready.add(uid)

    async def refresh(self, pod: Pod) -> None:
        """Bring the volumes made from objects up to date; what cannot be read now stays as it is."""
        if pod.metadata.uid in self._ready and any(source_of(v) in _FROM_OBJECTS for v in pod.spec.volumes):
            try:
                await self.set_up(pod)
            except VolumesNotReady as error:
                log.info("volumes of pod %s/%s: %s", pod.metadata.namespace, pod.metadata.name, error)

    def _write(self, pod: Pod, payloads: dict[str, Payload]) -> None:
        dirs = PodDirs(self._config.root_dir, pod.metadata.uid)
        dirs.base.mkdir(parents=True, exist_ok=True, mode=0o750)
        for volume in pod.spec.volumes:
            self._write_one(pod, dirs, volume, payloads.get(volume.name))

    def _write_one(self, pod: Pod, dirs: PodDirs, volume: Volume, files: Payload | None) -> None:
        kind = source_of(volume)
        context = pod.spec.security_context
        group = context.fs_group if context is not None else None
        if kind == "host_path":
            assert volume.host_path is not None
            host_path.prepare(volume.name, volume.host_path.path, volume.host_path.type)
            return
        if kind not in _SUPPORTED:
            raise VolumesNotReady(f'MountVolume.SetUp failed for volume "{volume.name}" : no plugin for this kind')
        path = dirs.volume(kind, volume.name)
        fresh = not path.exists()
        path.mkdir(parents=True, exist_ok=True)
        if files is not None:
            if kind in _IN_MEMORY and not mount.is_mounted(path):
                mount.tmpfs(path, mode=0o1777)
            atomic_writer.write(path, files, self._clock, group)
            return
        self._empty_dir(path, volume, fresh=fresh)
        if group is not None and context is not None:
            only_root = context.fs_group_change_policy == "OnRootMismatch"
            ownership.give_to_group(path, group, only_if_root_differs=only_root or not fresh)

    def _empty_dir(self, path: Path, volume: Volume, *, fresh: bool) -> None:
        source = volume.empty_dir or EmptyDirVolumeSource()
        if source.medium == "Memory" and not mount.is_mounted(path):
            mount.tmpfs(path, size=value(source.size_limit) if source.size_limit is not None else 0, mode=0o1777)
        if fresh:
            path.chmod(0o777)

    async def tear_down(self, pod: Pod) -> None:
        """Remove all that a pod has on disk."""
        uid = pod.metadata.uid
        self._ready.discard(uid)
        self._locks.pop(uid, None)
        await asyncio.to_thread(self._remove, pod)

    def _remove(self, pod: Pod) -> None:
        meta = pod.metadata
        base = PodDirs(self._config.root_dir, meta.uid).base
        if base.exists():
            mount.unmount_all(base)
            left = mount.under(base)
            if left:
                # What is still mounted is not the pod's own: removing through it would destroy others' files.
                raise OSError(errno.EBUSY, "still mounted", left[0].target)
            shutil.rmtree(base)
        logs = self._config.pod_logs_dir
        if meta.name:
            shutil.rmtree(log_directory(str(logs), meta.namespace, meta.name, meta.uid), ignore_errors=True)
        else:
            for entry in logs.glob(f"*_{meta.uid}"):
                shutil.rmtree(entry, ignore_errors=True)

    def uids(self) -> set[str]:
        """Pods that have a directory."""
        try:
            return {entry.name for entry in (self._config.root_dir / "pods").iterdir()}
        except FileNotFoundError:
            return set()


def source_of(volume: Volume) -> str:
    """The name of the field that says what kind of volume it is; a volume that names none is an emptyDir."""
    return next(_sources(volume), "empty_dir")


def _sources(volume: Volume) -> Iterator[str]:
    for name in volume.__struct_fields__:
        if name != "name" and getattr(volume, name) is not None:
            yield name


def host_directory(config: KubeletConfig, pod: Pod, volume: Volume) -> Path:
    """Where a volume lies on the node."""
    kind = source_of(volume)
    if volume.host_path is not None:
        return Path(volume.host_path.path)
    return PodDirs(config.root_dir, pod.metadata.uid).volume(kind, volume.name)
