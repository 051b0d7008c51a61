"""Mounts: lists them, and creates the kinds that a node needs (bind, tmpfs)."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from pybernetes.linux import libc

_ESCAPES = {"\\040": " ", "\\011": "\t", "\\012": "\n", "\\134": "\\"}


@dataclass(frozen=True, slots=True)
class Mount:
    """One line of mountinfo (proc_pid_mountinfo(5))."""

    ident: int
    parent: int
    root: str
    """The part of the source filesystem that is mounted: not `/` for bind mounts."""
    target: str
    options: tuple[str, ...]
    shared: bool
    fstype: str
    source: str
    super_options: tuple[str, ...]


def parse(text: str) -> list[Mount]:
    """The mounts in a mountinfo file, in mount order; malformed lines are ignored."""
    mounts = []
    for line in text.splitlines():
        left, dash, right = line.partition(" - ")
        first, last = left.split(" "), right.split(" ")
        if not dash or len(first) < 6 or len(last) < 3 or not (first[0].isdigit() and first[1].isdigit()):
            continue
        mounts.append(
            Mount(
                ident=int(first[0]),
                parent=int(first[1]),
                root=_unescape(first[3]),
                target=_unescape(first[4]),
                options=tuple(first[5].split(",")),
                shared=any(field.startswith("shared:") for field in first[6:]),
                fstype=last[0],
                source=_unescape(last[1]),
                super_options=tuple(last[2].split(",")),
            )
        )
    return mounts


def _unescape(field: str) -> str:
    for code, char in _ESCAPES.items():
        field = field.replace(code, char)
    return field


def mounts(pid: int | None = None) -> list[Mount]:
    """The mounts of a process (None: this one)."""
    return parse(Path(f"/proc/{pid or 'self'}/mountinfo").read_text(errors="surrogateescape"))


def under(root: str | Path) -> list[Mount]:
    """The mounts at `root` and below, innermost last."""
    base = os.path.realpath(root)
    return [m for m in mounts() if m.target == base or m.target.startswith(base.rstrip("/") + "/")]


def is_mounted(target: str | Path) -> bool:
    """Whether something is mounted exactly there."""
    path = os.path.realpath(target)
    return any(m.target == path for m in mounts())


def bind(source: str | Path, target: str | Path, *, read_only: bool = False, recursive: bool = False) -> None:
    """Bind-mount `source` at `target`; both must exist."""
    flags = libc.MS_BIND | (libc.MS_REC if recursive else 0)
    libc.mount(str(source), str(target), "none", flags)
    if read_only:  # the kernel accepts this flag only in a remount
        libc.mount("", str(target), "none", libc.MS_BIND | libc.MS_REMOUNT | libc.MS_RDONLY)


def tmpfs(target: str | Path, *, size: int = 0, mode: int = 0o755) -> None:
    """Mount a tmpfs of at most `size` bytes (0: half of the memory)."""
    options = f"mode={mode:o}" + (f",size={size}" if size else "")
    libc.mount("tmpfs", str(target), "tmpfs", libc.MS_NOSUID | libc.MS_NODEV, options)


def unmount(target: str | Path, *, lazy: bool = True) -> bool:
    """Unmount `target`. Returns whether anything was mounted. Lazily: it disappears at once, even if in use."""
    try:
        libc.umount(str(target), libc.MNT_DETACH if lazy else 0)
    except OSError as error:
        if error.errno in (errno.EINVAL, errno.ENOENT):
            return False
        raise
    return True


def unmount_all(root: str | Path) -> int:
    """Unmount everything at `root` and below, including stacked mounts. Returns how many mounts that were."""
    count = 0
    for found in reversed(under(root)):
        count += unmount(found.target)
    return count
