"""The paths of a pod's files below the kubelet's root directory, as in kubelet. Pure."""

from dataclasses import dataclass
from pathlib import Path


def directory_name(plugin: str) -> str:
    """The name of a volume plugin as the name of a directory: `kubernetes.io~empty-dir`"""
    return plugin.replace("/", "~")


@dataclass(frozen=True, slots=True)
class PodDirs:
    """The directories of one pod."""

    root: Path
    uid: str

    @property
    def base(self) -> Path:
        """`<root>/pods/<uid>`"""
        return self.root / "pods" / self.uid

    @property
    def volumes(self) -> Path:
        """`<root>/pods/<uid>/volumes`"""
        return self.base / "volumes"

    def volume(self, plugin: str, name: str) -> Path:
        """`.../volumes/kubernetes.io~empty-dir/<name>`"""
        return self.volumes / directory_name(plugin) / name

    @property
    def hosts(self) -> Path:
        """The file mounted as /etc/hosts."""
        return self.base / "etc-hosts"

    def container(self, name: str) -> Path:
        """Directory for a container's termination messages."""
        return self.base / "containers" / name

    def sub_paths(self, volume: str, container: str) -> Path:
        """Directory for the bind mounts of a container's subPaths."""
        return self.base / "volume-subpaths" / volume / container
