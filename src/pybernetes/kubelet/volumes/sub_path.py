"""Mounts subPaths such that they cannot point outside their volume.

The path is opened one name at a time, without following symbolic links; missing directories are created. The opened
file itself is bind-mounted, so replacing it by a link afterwards has no effect. The container gets the bind mount.
"""

import os
import stat
from pathlib import Path

from pybernetes.linux import libc, mount


class SubPathRefused(Exception):
    """The path leaves the volume, or cannot be created."""


def bind_sub_path(volume: Path, sub_path: str, target: Path, *, mode: int = 0o750) -> Path:
    """Mount `volume`/`sub_path` at `target`; returns `target`. Raises SubPathRefused."""
    parts = [part for part in sub_path.split("/") if part not in ("", ".")]
    if ".." in parts or sub_path.startswith("/"):
        raise SubPathRefused(f"subPath {sub_path!r} must be relative and must not contain '..'")
    if mount.is_mounted(target):
        return target
    try:
        handle = _open(volume, parts, mode)
    except OSError as error:
        raise SubPathRefused(f"subPath {sub_path!r} of volume {volume.name!r}: {error.strerror}") from error
    try:
        _make_target(target, is_directory=stat.S_ISDIR(os.fstat(handle).st_mode))
        libc.mount(f"/proc/self/fd/{handle}", str(target), "none", libc.MS_BIND | libc.MS_REC)
    except OSError as error:
        raise SubPathRefused(f"mounting subPath {sub_path!r}: {error.strerror}") from error
    finally:
        os.close(handle)
    return target


def _open(volume: Path, parts: list[str], mode: int) -> int:
    """Open the path. Links, such as those of an atomic writer (`..data/x`), are followed inside the volume only."""
    root = os.path.realpath(volume)
    handle = os.open(root, os.O_PATH | os.O_DIRECTORY)
    for index, name in enumerate(parts):
        try:
            try:
                following = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=handle)
            except FileNotFoundError:
                os.mkdir(name, mode, dir_fd=handle)
                following = os.open(name, os.O_PATH | os.O_NOFOLLOW, dir_fd=handle)
            if stat.S_ISLNK(os.fstat(following).st_mode):
                os.close(following)
                following = _resolve_inside(root, handle, name)
            if index < len(parts) - 1 and not stat.S_ISDIR(os.fstat(following).st_mode):
                os.close(following)
                raise NotADirectoryError(20, "Not a directory", name)
        finally:
            os.close(handle)
        handle = following
    return handle


def _resolve_inside(root: str, parent: int, name: str) -> int:
    """Follow a symbolic link, provided that its target is inside the volume."""
    path = os.path.realpath(os.path.join(os.readlink(f"/proc/self/fd/{parent}"), name))
    if os.path.commonpath([root, path]) != root:
        raise PermissionError(1, "symbolic link leads outside the volume", name)
    following = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    opened = os.readlink(f"/proc/self/fd/{following}")
    if stat.S_ISLNK(os.fstat(following).st_mode) or os.path.commonpath([root, opened]) != root:
        os.close(following)
        raise PermissionError(1, "symbolic link leads outside the volume", name)
    return following


def _make_target(target: Path, *, is_directory: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if is_directory:
        target.mkdir(exist_ok=True)
    else:
        target.touch(exist_ok=True)
