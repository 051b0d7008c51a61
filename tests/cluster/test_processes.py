"""Identities of processes, and which processes belong to a cluster."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pybernetes.cluster import cgroups
from pybernetes.cluster.inventory import Roots, is_ours
from pybernetes.cluster.processes import (
    ProcessId,
    ProcessInfo,
    identify,
    is_alive,
    open_pidfd,
    scan,
    send,
    stop,
    with_descendants,
)

ROOTS = Roots(Path("/var/lib/pybernetes"), Path("/run/pybernetes"))


def info(*argv: str, cgroup: str = "/", pid: int = 10, parent: int = 1) -> ProcessInfo:
    return ProcessInfo(ProcessId(pid, 1), parent, "S", f"5:pids:{cgroup}\n0::/\n", argv)


def test_identity_of_a_running_and_an_exited_process() -> None:
    child = subprocess.Popen(["sleep", "100"])
    process = identify(child.pid)
    assert process is not None
    assert is_alive(process)
    assert any(found.id == process for found in scan())
    impostor = ProcessId(process.pid, process.start + 1)
    assert open_pidfd(impostor) is None
    assert not send(impostor, 9)
    assert stop([impostor], grace=0) == []
    assert is_alive(process)
    assert stop([process], grace=1.0) == []
    assert not is_alive(process)
    child.wait()


def test_a_process_that_ignores_sigterm_is_killed_after_the_grace_period() -> None:
    code = "import signal,time;signal.signal(15,signal.SIG_IGN);print('up',flush=True);time.sleep(100)"
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"up\n"
    process = identify(child.pid)
    assert process is not None
    assert stop([process], grace=0.02) == []
    assert not is_alive(process)
    child.stdout.close()
    child.wait()


def test_a_command_name_with_parentheses(tmp_path: Path) -> None:
    program = tmp_path / "a) S 1 (b"
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(program), "100"])
    try:
        process = identify(child.pid)
        assert process is not None
        assert any(found.id == process and found.parent == os.getpid() for found in scan())
    finally:
        child.kill()
        child.wait()


@pytest.mark.parametrize(
    ("candidate", "mine"),
    [
        (info("containerd", cgroup="/pybernetes/dev/node-1/daemons"), True),
        (info("x", cgroup="/pybernetes/dev"), True),
        (info("x", cgroup="/pybernetes/dev-2/node-1"), False),
        (info("x", cgroup="/docker/pybernetes/dev/node-1"), False),
        (info("/usr/bin/containerd-shim-runc-v2", "-address", "/run/pybernetes/dev/nodes/n/c.sock"), True),
        (info("/usr/bin/containerd-shim-runc-v2", "-address", "/run/containerd/containerd.sock"), False),
        (info("/usr/bin/containerd-shim-runc-v2", "-address", "/run/pybernetes/dev-2/nodes/n/c.sock"), False),
        (info("tail", "-f", "/var/lib/pybernetes/dev/logs/apiserver.log"), False),
        (info("python", "-m", "pybernetes.cluster.supervisor", "/var/lib/pybernetes/dev/p.json"), True),
    ],
)
def test_marks_of_a_process(candidate: ProcessInfo, mine: bool) -> None:
    assert is_ours(candidate, "dev", ROOTS) is mine


def test_descendants_are_found() -> None:
    everyone = [info("a", pid=2), info("b", pid=3, parent=2), info("c", pid=4, parent=3), info("d", pid=5)]
    assert {found.id.pid for found in with_descendants(everyone[:1], everyone)} == {2, 3, 4}


def make_hierarchies(root: Path, *names: str) -> None:
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "cgroup.procs").touch()


def test_hierarchies_that_track_daemons(tmp_path: Path) -> None:
    make_hierarchies(tmp_path, "memory", "pids", "systemd", "unified")
    names = [path.relative_to(tmp_path).parts[0] for path in cgroups.tracking_dirs("/pybernetes/x", tmp_path)]
    assert names == ["pids", "systemd", "unified"]
    (tmp_path / "cgroup.controllers").touch()
    assert cgroups.tracking_dirs("/pybernetes/x", tmp_path) == [tmp_path / "pybernetes/x"]
    assert cgroups.tracking_dirs("/pybernetes/x", tmp_path / "none") == []


def test_only_our_cgroups_are_removed_deepest_first(tmp_path: Path) -> None:
    make_hierarchies(tmp_path, "memory", "pids")
    for path in ("memory/pybernetes/a/n/pods", "pids/pybernetes/a", "pids/pybernetes/ab/n"):
        (tmp_path / path).mkdir(parents=True)
    assert cgroups.remove("/pybernetes/a", tmp_path) == []
    cgroups.remove_if_empty("/pybernetes", tmp_path)
    assert not (tmp_path / "memory/pybernetes").exists()
    assert [path.name for path in (tmp_path / "pids/pybernetes").iterdir()] == ["ab"]
