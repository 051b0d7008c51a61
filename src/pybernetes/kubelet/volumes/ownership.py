"""Applies fsGroup: the volume's files belong to the group, are writable by it, and new files inherit it."""

import os
import stat
from pathlib import Path


def give_to_group(directory: Path, group: int, *, only_if_root_differs: bool = False) -> None:
    """Change group and mode of the directory and everything below. Does not follow symbolic links."""
    root = directory.lstat()
    if only_if_root_differs and root.st_gid == group and root.st_mode & stat.S_ISGID:
        return
    for base, directories, files in os.walk(directory):
        _give(base, group, directory=True)
        for name in files:
            _give(os.path.join(base, name), group, directory=False)
        for name in directories:
            path = os.path.join(base, name)
            if os.path.islink(path):
                os.lchown(path, -1, group)


def _give(path: str, group: int, *, directory: bool) -> None:
    os.lchown(path, -1, group)
    mode = os.lstat(path).st_mode
    if stat.S_ISLNK(mode):
        return
    wanted = stat.S_IMODE(mode) | 0o660
    if directory:
        wanted |= stat.S_ISGID | 0o110
    if wanted != stat.S_IMODE(mode):
        os.chmod(path, wanted)
