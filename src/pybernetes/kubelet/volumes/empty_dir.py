"""emptyDir: a directory, or a filesystem in memory, that is removed with the pod."""

import asyncio

from pybernetes.api.core.volume import EmptyDirVolumeSource, Volume
from pybernetes.api.quantity import value
from pybernetes.kubelet.volumes.plugin import MountedVolume, Target, VolumePlugin
from pybernetes.linux import mount


class EmptyDirVolume(VolumePlugin[EmptyDirVolumeSource]):
    """An empty directory."""

    name = "kubernetes.io/empty-dir"

    def source(self, volume: Volume) -> EmptyDirVolumeSource | None:
        """`emptyDir`, or no source at all: manifests of static pods are not defaulted."""
        if volume == Volume(name=volume.name):
            return EmptyDirVolumeSource()
        return volume.empty_dir

    async def set_up(self, source: EmptyDirVolumeSource, target: Target) -> MountedVolume:
        """Create the directory unless it exists."""
        await asyncio.to_thread(_make, source, target)
        return MountedVolume(path=target.directory, apply_fs_group=True, selinux_relabel=True)


def _make(source: EmptyDirVolumeSource, target: Target) -> None:
    path = target.directory
    path.mkdir(parents=True, exist_ok=True)
    if source.medium == "Memory" and not mount.is_mounted(path):
        mount.tmpfs(path, size=value(source.size_limit) if source.size_limit is not None else 0, mode=0o1777)
    if target.first:
        path.chmod(0o777)
