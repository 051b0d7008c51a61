"""Files of volumes on a real disk: atomic updates, subPaths that try to escape, hostPath types, fsGroup."""

import os
from pathlib import Path

import pytest

from pybernetes.kubelet.volumes import atomic_writer, host_path, ownership
from pybernetes.kubelet.volumes.atomic_writer import File
from pybernetes.kubelet.volumes.plugin import VolumeError
from pybernetes.kubelet.volumes.sub_path import SubPathRefused, bind_sub_path
from pybernetes.linux import mount

from .builders import NOW


def files(**content: str) -> dict[str, File]:
    return {name.replace("_", "/"): File(text.encode(), 0o644) for name, text in content.items()}


def test_atomic_writer(tmp_path: Path) -> None:
    assert atomic_writer.write(tmp_path, files(a="1", d_b="2"), lambda: NOW)
    assert (tmp_path / "a").read_text() == "1"
    assert (tmp_path / "d" / "b").read_text() == "2"
    first = os.readlink(tmp_path / "..data")
    assert not atomic_writer.write(tmp_path, files(a="1", d_b="2"), lambda: NOW), "nothing changed"
    assert atomic_writer.write(tmp_path, files(a="3"), lambda: NOW)
    assert (tmp_path / "a").read_text() == "3"
    assert not (tmp_path / "d").exists()
    assert not (tmp_path / first).exists()
    assert sorted(p.name for p in tmp_path.iterdir())[1:] == ["..data", "a"]


def test_atomic_writer_restores_a_changed_file(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, files(a="1"), lambda: NOW)
    (tmp_path / "..data" / "a").write_text("tampered")
    assert atomic_writer.write(tmp_path, files(a="1"), lambda: NOW)
    assert (tmp_path / "a").read_text() == "1"


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc"])
def test_sub_path_must_not_leave_the_volume(tmp_path: Path, path: str) -> None:
    with pytest.raises(SubPathRefused):
        bind_sub_path(tmp_path, path, tmp_path / "t")


@pytest.mark.kernel
def test_sub_path_symlinks(tmp_path: Path) -> None:
    volume, outside, target = tmp_path / "v", tmp_path / "outside", tmp_path / "target"
    volume.mkdir()
    outside.mkdir()
    (outside / "secret").write_text("x")
    (volume / "out").symlink_to(outside)
    (volume / "up").symlink_to("../outside/secret")
    (volume / "real").mkdir()
    (volume / "in").symlink_to("real")
    for bad in ("out", "out/secret", "up"):
        with pytest.raises(SubPathRefused):
            bind_sub_path(volume, bad, target / bad.replace("/", "-"))
    try:
        bind_sub_path(volume, "in", target / "in")
        (target / "in" / "f").write_text("y")
        assert (volume / "real" / "f").read_text() == "y"
        bind_sub_path(volume, "new/dir", target / "new")
        assert (volume / "new" / "dir").is_dir()
    finally:
        mount.unmount_all(tmp_path)


def test_host_path_types(tmp_path: Path) -> None:
    host_path.prepare(str(tmp_path / "new"), "DirectoryOrCreate")
    host_path.prepare(str(tmp_path / "file"), "FileOrCreate")
    host_path.prepare("/dev/null", "CharDevice")
    for path, kind in ((tmp_path / "new", "File"), (tmp_path / "file", "Directory"), (tmp_path / "none", "Socket")):
        with pytest.raises(VolumeError, match="hostPath type check failed"):
            host_path.prepare(str(path), kind)


def test_group_ownership_never_follows_links(tmp_path: Path) -> None:
    volume, outside = tmp_path / "v", tmp_path / "outside"
    volume.mkdir()
    outside.write_text("x")
    (volume / "f").write_text("x")
    (volume / "link").symlink_to(outside)
    before = outside.stat().st_gid
    ownership.give_to_group(volume, 4242)
    assert (volume / "f").stat().st_gid == 4242
    assert (volume / "f").stat().st_mode & 0o060 == 0o060
    assert outside.stat().st_gid == before
