"""Checks of hostPath volumes by their `type`; makes what DirectoryOrCreate and FileOrCreate ask for."""

import stat
from collections.abc import Callable
from pathlib import Path

from pybernetes.kubelet.errors import VolumesNotReady

_CHECKS: dict[str, tuple[Callable[[int], bool], str]] = {
    "Directory": (stat.S_ISDIR, "directory"),
    "DirectoryOrCreate": (stat.S_ISDIR, "directory"),
    "File": (stat.S_ISREG, "file"),
    "FileOrCreate": (stat.S_ISREG, "file"),
    "Socket": (stat.S_ISSOCK, "socket"),
    "CharDevice": (stat.S_ISCHR, "character device"),
    "BlockDevice": (stat.S_ISBLK, "block device"),
}


def prepare(volume: str, path: str, kind: str) -> None:
    """See that the path is what `kind` says; raises VolumesNotReady."""
    if not kind:
        return
    host = Path(path)
    try:
        if kind == "DirectoryOrCreate" and not host.exists():
            host.mkdir(parents=True, mode=0o755)
        elif kind == "FileOrCreate" and not host.exists():
            host.touch(mode=0o644)
        mode = host.stat().st_mode
    except OSError as error:
        raise _failed(volume, f"hostPath type check failed: {path} is not a {_name(kind)}: {error.strerror}") from error
    check = _CHECKS.get(kind)
    if check is None:
        raise _failed(volume, f"{kind} is an invalid volume type")
    if not check[0](mode):
        raise _failed(volume, f"hostPath type check failed: {path} is not a {check[1]}")


def _name(kind: str) -> str:
    return _CHECKS[kind][1] if kind in _CHECKS else kind


def _failed(volume: str, message: str) -> VolumesNotReady:
    return VolumesNotReady(f'MountVolume.SetUp failed for volume "{volume}" : {message}')
