"""Processes, cgroups and mounts."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.linux import cgroup, mount, process


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen(["sleep", "60"])
    yield child
    child.kill()
    child.wait()


def test_an_identity_is_that_of_one_process(sleeper: subprocess.Popen[bytes]) -> None:
    ident = process.identity(sleeper.pid)
    assert ident is not None and process.resolve(ident) == sleeper.pid
    started = int(ident.partition(":")[2])
    assert process.resolve(f"{sleeper.pid}:{started + 1}") is None
    assert not process.wait(ident, 0)
    assert process.kill(ident, signal.SIGTERM) and process.wait(ident, 2)
    sleeper.wait()
    assert process.resolve(ident) is None and not process.kill(ident)
    assert process.identity(sleeper.pid) is None


@pytest.mark.parametrize("text", ["", "12", "x:y", ":", "-1:5", "1:"])
def test_a_malformed_identity(text: str) -> None:
    assert process.resolve(text) is None


def test_limits_in_both_versions() -> None:
    limits = cgroup.Limits(cpu_quota=50_000, cpu_shares=1024, memory=-1, pids=-1)
    assert cgroup.settings(limits, 2) == [
        ("cpu", "cpu.max", "50000 100000"),
        ("cpu", "cpu.weight", "39"),
        ("memory", "memory.max", "max"),
        ("pids", "pids.max", "max"),
    ]
    assert cgroup.settings(limits, 1) == [
        ("cpu", "cpu.cfs_period_us", "100000"),
        ("cpu", "cpu.cfs_quota_us", "50000"),
        ("cpu", "cpu.shares", "1024"),
        ("memory", "memory.limit_in_bytes", "-1"),
        ("pids", "pids.max", "max"),
    ]


@pytest.mark.kernel
def test_a_group_is_created_used_and_removed(sleeper: subprocess.Popen[bytes]) -> None:
    parent = cgroup.Cgroup(f"pbt-lx-{os.getpid()}")
    group = cgroup.Cgroup(f"{parent.path}/pod/ctr", parent.hierarchy)
    try:
        group.create()
        group.create()
        group.set_limits(cgroup.Limits(cpu_quota=50_000, cpu_shares=512, memory=64 << 20, pids=10))
        group.add(sleeper.pid)
        assert group.pids() == parent.pids(recursive=True) == {sleeper.pid} and parent.pids() == set()
        with pytest.raises(OSError):
            parent.remove()
        assert parent.kill() == 1
        assert sleeper.wait(5) == -signal.SIGKILL
    finally:
        parent.kill()
        assert parent.remove() and not parent.remove() and not group.exists()


@pytest.mark.kernel
def test_mounts_below_a_directory(tmp_path: Path) -> None:
    data, ro = tmp_path / "with space", tmp_path / "ro"
    data.mkdir()
    ro.mkdir()
    mount.tmpfs(data, size=1 << 20, mode=0o700)
    (data / "f").write_text("x")
    mount.bind(data, ro, read_only=True)
    assert [m.target for m in mount.under(tmp_path)] == [str(data), str(ro)]
    with pytest.raises(OSError, match="Read-only"):
        (ro / "g").write_text("y")
    assert mount.unmount_all(tmp_path) == 2 and mount.under(tmp_path) == []
    assert not mount.unmount(data) and not mount.is_mounted(data)


def test_malformed_lines_in_mountinfo() -> None:
    text = "\n\nx y\n26 1 0:24 / /a\\040b rw shared:1 - tmpfs none rw,size=1k\n1 2 3 - \n26 1 8:1 / / rw - \n"
    (only,) = mount.parse(text)
    assert (only.target, only.shared, only.fstype) == ("/a b", True, "tmpfs")


def test_layouts_of_cgroups() -> None:
    v2 = cgroup.detect(mount.parse("30 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"))
    assert v2.version == 2 and v2.roots == [Path("/sys/fs/cgroup")]
    v1 = cgroup.detect(
        mount.parse("30 1 0:1 / /c/cpu rw - cgroup cgroup rw,cpu,cpuacct\n31 1 0:2 / /c/u rw - cgroup2 x rw")
    )
    assert v1.version == 1 and v1.roots == [Path("/c/cpu")] and set(v1.controllers) == {"cpu", "cpuacct"}
