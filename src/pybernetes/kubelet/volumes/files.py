"""The base of volumes that consist of small files made from API objects."""

import asyncio
import posixpath
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from pybernetes.api.core.pod import Pod
from pybernetes.api.core.selectors import KeyToPath
from pybernetes.kubelet.volumes import atomic_writer
from pybernetes.kubelet.volumes.atomic_writer import File
from pybernetes.kubelet.volumes.plugin import NEVER, Host, MountedVolume, S, Target, VolumeError, VolumePlugin
from pybernetes.linux import mount

DEFAULT_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a volume, by relative path."""

    content: Mapping[str, File] = field(default_factory=dict)
    refresh_at: float = NEVER


class FileVolume(VolumePlugin[S]):
    """A read-only directory of files, which are updated atomically. A subclass provides the files."""

    refreshes = True
    in_memory: ClassVar[bool] = False
    """Whether to keep the files in memory because they must not be written to a disk."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @abstractmethod
    async def files(self, pod: Pod, source: S) -> Files:
        """The volume's files; raises VolumeError, ApiError or Unreachable."""

    async def set_up(self, source: S, target: Target) -> MountedVolume:
        """Write the files."""
        files = await self.files(target.pod, source)
        await asyncio.to_thread(self._write, target, files)
        return MountedVolume(path=target.directory, read_only=True, selinux_relabel=True, refresh_at=files.refresh_at)

    def _write(self, target: Target, files: Files) -> None:
        target.directory.mkdir(parents=True, exist_ok=True)
        if self.in_memory and not mount.is_mounted(target.directory):
            mount.tmpfs(target.directory, mode=0o1777)
        atomic_writer.write(target.directory, files.content, self._host.clock, target.fs_group)


def mode_of(default: int | None) -> int:
    """The mode of files without a mode of their own."""
    return DEFAULT_MODE if default is None else default


def keyed_files(
    data: Mapping[str, bytes], items: list[KeyToPath], mode: int, *, kind: str, optional: bool
) -> dict[str, File]:
    """The values of a ConfigMap or Secret as files: those of `items`, or all of them. Pure. Raises VolumeError."""
    if not items:
        return {safe_path(key): File(content, mode) for key, content in data.items()}
    files: dict[str, File] = {}
    for item in items:
        if item.key in data:
            files[safe_path(item.path)] = File(data[item.key], mode if item.mode is None else item.mode)
        elif not optional:
            raise VolumeError(f"references non-existent {kind} key: {item.key}")
    return files


def safe_path(path: str) -> str:
    """Normalize a path; raises VolumeError if it leaves the volume. Pure. The API server validates it as well."""
    clean = posixpath.normpath(path)
    if not path or clean.startswith(("/", "..")) or clean == ".":
        raise VolumeError(f"invalid path {path!r}: it must be relative and must not contain '..'")
    return clean
