"""Cgroups in which daemons run so that `down` can find them, on v2, v1 and hybrid machines.

They identify processes and set no limits. On v1, a daemon therefore enters only hierarchies without limits
(unified, systemd, freezer, pids) and stays in its parent's cgroup for memory and CPU. The container runtime gives
pods below them all controllers.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

CGROUP_ROOT = Path("/sys/fs/cgroup")
_TRACKING_V1 = ("unified", "systemd", "freezer", "pids")


def is_unified(root: Path = CGROUP_ROOT) -> bool:
    """Whether the machine has cgroup v2 only."""
    return (root / "cgroup.controllers").exists()


def hierarchies(root: Path = CGROUP_ROOT) -> list[Path]:
    """The directory of each mounted hierarchy; a v2 machine has one."""
    if is_unified(root):
        return [root]
    try:
        return sorted(entry for entry in root.iterdir() if entry.is_dir() and (entry / "cgroup.procs").exists())
    except FileNotFoundError:
        return []


def tracking_dirs(cgroup: str, root: Path = CGROUP_ROOT) -> list[Path]:
    """The directories in whose cgroup.procs a daemon of `cgroup` (such as '/pybernetes/x/node-1') is written."""
    roots = hierarchies(root)
    if not is_unified(root):
        roots = [path for path in roots if path.name in _TRACKING_V1 and not path.is_symlink()]
    return [path / cgroup.lstrip("/") for path in roots]


def make(cgroup: str, root: Path = CGROUP_ROOT) -> list[Path]:
    """Create the cgroup in the hierarchies that track daemons; returns its directories."""
    made = tracking_dirs(cgroup, root)
    for path in made:
        path.mkdir(parents=True, exist_ok=True)
    return made


def existing(cgroup: str, root: Path = CGROUP_ROOT) -> Iterator[Path]:
    """Every directory of this cgroup and its children, in all hierarchies, deepest first."""
    for hierarchy in hierarchies(root):
        top = hierarchy / cgroup.lstrip("/")
        if top.is_dir():
            yield from (Path(path) for path, _, _ in os.walk(top, topdown=False))


def remove(cgroup: str, root: Path = CGROUP_ROOT, *, patience: float = 2.0) -> list[Path]:
    """Remove the cgroup and its children; returns those that still contain processes.

    The kernel frees a cgroup shortly after its last process has exited, so EBUSY is retried.
    """
    deadline = time.monotonic() + patience
    while True:
        left = [path for path in existing(cgroup, root) if not _rmdir(path)]
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.01)


def remove_if_empty(cgroup: str, root: Path = CGROUP_ROOT) -> None:
    """Remove the parent cgroup of all clusters if it has no children."""
    for hierarchy in hierarchies(root):
        _rmdir(hierarchy / cgroup.lstrip("/"))


def _rmdir(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
