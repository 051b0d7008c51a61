"""Atomic writes, and locks that exclude other processes even if the lock file is deleted."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pybernetes.cluster.errors import DiskFull
from pybernetes.cluster.files import locked, write_atomic, write_if_changed
from pybernetes.cluster.nodes import resolv_conf
from pybernetes.linux import mount


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "disk"
    path.mkdir()
    mount.tmpfs(path, size=64 << 10)
    yield path
    mount.unmount_all(path)


def test_modes_and_content(tmp_path: Path) -> None:
    path = tmp_path / "a" / "key"
    write_atomic(path, "secret", 0o600, durable=True)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("secret", 0o600)
    assert not write_if_changed(path, "secret", 0o600)
    assert write_if_changed(path, "secret", 0o644)
    assert write_if_changed(path, "other", 0o644)
    assert [entry.name for entry in path.parent.iterdir()] == ["key"]


@pytest.mark.kernel
def test_a_full_disk_keeps_the_previous_file(small_disk: Path) -> None:
    path = small_disk / "state"
    write_atomic(path, b"old")
    with pytest.raises(DiskFull, match="df -h"):
        write_atomic(path, b"x" * (1 << 20))
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in small_disk.iterdir()] == ["state"]


def test_a_lock_whose_file_is_deleted_still_excludes(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    inside: list[int] = []

    def visit(_: int) -> None:
        for _round in range(20):
            with locked(path):
                inside.append(1)
                assert len(inside) == 1
                time.sleep(0)
                inside.pop()
                path.unlink()  # last, like `down`

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(visit, range(4)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("nameserver 127.0.0.53\n", "run"),
        ("nameserver 127.0.0.53\nnameserver 192.0.2.1\n", "etc"),
        ("search x\n", "etc"),
        ("", "etc"),
        ("nameserver\n", "etc"),
    ],
)
def test_the_resolv_conf_that_a_node_can_use(tmp_path: Path, content: str, expected: str) -> None:
    etc, run = tmp_path / "etc", tmp_path / "run"
    etc.write_text(content)
    run.write_text("nameserver 192.0.2.1\n")
    assert resolv_conf(etc, run).name == expected
    run.unlink()
    assert resolv_conf(etc, run) == etc
