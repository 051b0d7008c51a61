"""hostPath: a file or directory of the node. Its `type` determines what to check and what to create."""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

from pybernetes.api.core.volume import HostPathVolumeSource, Volume
from pybernetes.kubelet.volumes.plugin import MountedVolume, Target, VolumeError, VolumePlugin

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


class HostPathVolume(VolumePlugin[HostPathVolumeSource]):
    """A path of the node. It is shared, so neither fsGroup nor SELinux labels are applied."""

    name = "kubernetes.io/host-path"

    def source(self, volume: Volume) -> HostPathVolumeSource | None:
        """`hostPath`"""
        return volume.host_path

    async def set_up(self, source: HostPathVolumeSource, target: Target) -> MountedVolume:
        """Check the path."""
        if source.type:
            await asyncio.to_thread(prepare, source.path, source.type)
        return MountedVolume(path=Path(source.path))


def prepare(path: str, kind: str) -> None:
    """Check the path against the type, and create it for the ...OrCreate types. Raises VolumeError."""
    if kind not in _CHECKS:
        raise VolumeError(f"{kind} is an invalid volume type")
    is_kind, name = _CHECKS[kind]
    host = Path(path)
    try:
        if kind == "DirectoryOrCreate" and not host.exists():
            host.mkdir(parents=True, mode=0o755)
        elif kind == "FileOrCreate" and not host.exists():
            host.touch(mode=0o644)
        mode = host.stat().st_mode
    except OSError as error:
        raise VolumeError(f"hostPath type check failed: {path} is not a {name}: {error.strerror}") from error
    if not is_kind(mode):
        raise VolumeError(f"hostPath type check failed: {path} is not a {name}")
