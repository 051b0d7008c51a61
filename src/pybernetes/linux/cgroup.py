"""Control groups of both kernel versions as one tree of names.

Version 2 has one directory per group. Version 1 (also in hybrid mode, with an empty version 2 tree) has one per
controller; this module keeps them all the same. Limits are given in units that do not depend on the version.
"""

from __future__ import annotations

import errno
import os
import signal
from dataclasses import dataclass
from pathlib import Path

from pybernetes.linux import mount

V1_CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "pids", "freezer", "devices", "blkio", "hugetlb")
CPU_PERIOD = 100_000


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits for all processes of a group together. None leaves a limit as it is, -1 removes it."""

    cpu_quota: int | None = None
    """Microseconds of CPU time per 100 ms: 50,000 is half a core."""
    cpu_shares: int | None = None
    """Weight relative to siblings, on version 1's scale: 1024 for each requested core."""
    memory: int | None = None
    """Bytes."""
    pids: int | None = None


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where the trees are mounted: `unified` for version 2, else one path per controller."""

    unified: Path | None
    controllers: dict[str, Path]

    @property
    def version(self) -> int:
        return 1 if self.controllers else 2

    @property
    def roots(self) -> list[Path]:
        """Each tree in which a group has a directory, once."""
        if self.version == 2:
            return [self.unified] if self.unified else []
        return list(dict.fromkeys(self.controllers.values()))


def detect(mounts: list[mount.Mount] | None = None) -> Hierarchy:
    """The layout of this machine."""
    unified = None
    controllers: dict[str, Path] = {}
    for found in mount.mounts() if mounts is None else mounts:
        if found.fstype == "cgroup2":
            unified = unified or Path(found.target)
        elif found.fstype == "cgroup":
            for option in found.super_options:
                name = option.removeprefix("name=")
                if option in V1_CONTROLLERS or name == "systemd":
                    controllers.setdefault(name, Path(found.target))
    return Hierarchy(unified, controllers)


class Cgroup:
    """One group, by its path below the root, for example `kubepods/burstable/pod1234`."""

    def __init__(self, path: str, hierarchy: Hierarchy | None = None) -> None:
        self.path = path.strip("/")
        self.hierarchy = hierarchy or detect()

    @property
    def directories(self) -> list[Path]:
        return [root / self.path for root in self.hierarchy.roots]

    def exists(self) -> bool:
        return any(directory.is_dir() for directory in self.directories)

    def create(self) -> None:
        """Create the group and its parents, unless they exist."""
        for root in self.hierarchy.roots:
            directory = root
            for part in Path(self.path).parts:
                if self.hierarchy.version == 2:
                    _delegate(directory)
                directory = directory / part
                directory.mkdir(exist_ok=True)
                if root == self.hierarchy.controllers.get("cpuset"):
                    _inherit_cpuset(directory)

    def add(self, pid: int) -> None:
        """Move a process into the group, with all its threads."""
        for directory in self.directories:
            _write(directory / "cgroup.procs", str(pid))

    def pids(self, *, recursive: bool = False) -> set[int]:
        """The processes in the group, with `recursive` also in the groups below. Empty if it does not exist."""
        found: set[int] = set()
        for directory in self.directories:
            groups = [path for path, _, _ in os.walk(directory)] if recursive else [str(directory)]
            for group in groups:
                found.update(_read_pids(Path(group) / "cgroup.procs"))
        return found

    def set_limits(self, limits: Limits) -> None:
        """Apply the given limits. Raises FileNotFoundError if the kernel lacks the controller."""
        for controller, name, value in settings(limits, self.hierarchy.version):
            root = self.hierarchy.controllers.get(controller) or self.hierarchy.unified
            assert root is not None
            _write(root / self.path / name, value)

    def kill(self) -> int:
        """Send SIGKILL to all processes in the group and below. Returns their number.

        The group is frozen first (version 1) or killed by the kernel in one step (version 2); otherwise a child
        forked between the listing and the kill would survive.
        """
        before = self.pids(recursive=True)
        if self.hierarchy.version == 2:
            _write(self.directories[0] / "cgroup.kill", "1")
            return len(before)
        freezer = self.hierarchy.controllers.get("freezer")
        frozen = freezer / self.path / "freezer.state" if freezer else None
        if frozen and frozen.exists():
            _write(frozen, "FROZEN")
        for pid in self.pids(recursive=True):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        if frozen and frozen.exists():
            _write(frozen, "THAWED")
        return len(before)

    def remove(self) -> bool:
        """Remove the group and those below. Returns whether it existed. Raises OSError (EBUSY) if it has processes."""
        existed = False
        for directory in self.directories:
            for path, _, _ in os.walk(directory, topdown=False):
                existed = True
                try:
                    os.rmdir(path)
                except FileNotFoundError:
                    pass
        return existed


def settings(limits: Limits, version: int) -> list[tuple[str, str, str]]:
    """(controller, file, value) of each given limit. Pure."""
    found: list[tuple[str, str, str]] = []
    v2 = version == 2
    if limits.cpu_quota is not None:
        if v2:
            quota = "max" if limits.cpu_quota < 0 else str(limits.cpu_quota)
            found.append(("cpu", "cpu.max", f"{quota} {CPU_PERIOD}"))
        else:
            found.append(("cpu", "cpu.cfs_period_us", str(CPU_PERIOD)))
            found.append(("cpu", "cpu.cfs_quota_us", str(limits.cpu_quota)))
    if limits.cpu_shares is not None:
        if v2:
            found.append(("cpu", "cpu.weight", str(cpu_weight(limits.cpu_shares))))
        else:
            found.append(("cpu", "cpu.shares", str(max(2, limits.cpu_shares))))
    if limits.memory is not None:
        name = "memory.max" if v2 else "memory.limit_in_bytes"
        found.append(("memory", name, "max" if v2 and limits.memory < 0 else str(limits.memory)))
    if limits.pids is not None:
        found.append(("pids", "pids.max", "max" if limits.pids < 0 else str(limits.pids)))
    return found


def cpu_weight(shares: int) -> int:
    """Version 2's weight (1..10000) for version 1's shares (2..262144), as runc maps them."""
    return 1 + (min(max(shares, 2), 262_144) - 2) * 9999 // 262_142


def _write(path: Path, value: str) -> None:
    """Write to an existing control file."""
    with open(path, "r+b", buffering=0) as file:
        file.write(value.encode())


def _read_pids(path: Path) -> set[int]:
    try:
        return {int(line) for line in path.read_text().split()}
    except FileNotFoundError:
        return set()
    except OSError as error:
        if error.errno in (errno.ENODEV, errno.EOPNOTSUPP):  # removed while read; a threaded group
            return set()
        raise


def _delegate(directory: Path) -> None:
    """Version 2: enable a group's controllers for its children."""
    available = (directory / "cgroup.controllers").read_text().split()
    enabled = (directory / "cgroup.subtree_control").read_text().split()
    missing = [f"+{name}" for name in available if name in ("cpu", "memory", "pids", "cpuset") and name not in enabled]
    if missing:
        _write(directory / "cgroup.subtree_control", " ".join(missing))


def _inherit_cpuset(directory: Path) -> None:
    """Version 1: a new cpuset is empty and accepts no process until it names CPUs and memory nodes."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        own = directory / name
        if not own.read_text().strip():
            _write(own, (directory.parent / name).read_text().strip())
