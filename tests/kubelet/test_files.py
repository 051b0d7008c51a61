"""Volumes and logs on a real disk: atomic updates, subPaths that try to escape, rotation, a full disk."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybernetes.kubelet.logs.cri_log import parse, tail_text, time_key
from pybernetes.kubelet.logs.files import tidy
from pybernetes.kubelet.logs.reader import LogOptions, read_log
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


def test_atomic_writer_mends_what_somebody_changed(tmp_path: Path) -> None:
    atomic_writer.write(tmp_path, files(a="1"), lambda: NOW)
    (tmp_path / "..data" / "a").write_text("tampered")
    assert atomic_writer.write(tmp_path, files(a="1"), lambda: NOW)
    assert (tmp_path / "a").read_text() == "1"


@pytest.mark.parametrize("path", ["..", "../x", "a/../../x", "/etc"])
def test_sub_path_text_that_leaves_the_volume(tmp_path: Path, path: str) -> None:
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


LINE = b"2026-01-02T15:04:05.123456789Z stdout F hello"


@pytest.mark.parametrize("line", [b"", b"x", b"2026 stdout F x", b"2026-01-02T15:04:05.1Z both F x", b"\xff" * 40])
def test_lines_of_another_format(line: bytes) -> None:
    assert parse(line) is None


def test_parts_of_a_line_have_no_newline() -> None:
    whole, part = parse(LINE), parse(LINE.replace(b" F ", b" P "))
    assert whole is not None
    assert part is not None
    assert (whole.text, part.text) == (b"hello\n", b"hello")
    assert time_key("2026-01-02T15:04:05Z") < time_key("2026-01-02T15:04:05.000000001Z")


def write(path: Path, *texts: str, tag: str = "F", second: int = 0) -> None:
    with path.open("a") as file:
        for index, text in enumerate(texts):
            file.write(f"2026-01-02T15:04:{second + index:02}.000000000Z stdout {tag} {text}\n")


async def alive_never() -> bool:
    return False


async def text_of(path: Path, options: LogOptions) -> str:
    return b"".join([block async for block in read_log(path, options, alive_never)]).decode()


async def test_reading_options(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    write(path, *"abcde")
    assert await text_of(path, LogOptions()) == "a\nb\nc\nd\ne\n"
    assert await text_of(path, LogOptions(tail_lines=2)) == "d\ne\n"
    assert await text_of(path, LogOptions(tail_lines=0)) == ""
    assert await text_of(path, LogOptions(tail_lines=99)) == "a\nb\nc\nd\ne\n"
    assert await text_of(path, LogOptions(since="2026-01-02T15:04:03Z")) == "d\ne\n"
    assert await text_of(path, LogOptions(limit_bytes=3)) == "a\nb"
    assert await text_of(path, LogOptions(streams=frozenset(("stderr",)))) == ""
    assert (await text_of(path, LogOptions(timestamps=True, tail_lines=1))).startswith("2026-01-02T15:04:04.0")
    assert tail_text(path, 2, 100) == "d\ne\n"
    with pytest.raises(FileNotFoundError):
        await text_of(tmp_path / "none", LogOptions())


async def test_lines_in_parts_count_once(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    write(path, "x")
    write(path, "one", tag="P")
    write(path, "two", tag="F")
    assert await text_of(path, LogOptions(tail_lines=1, timestamps=True)) == "2026-01-02T15:04:00.000000000Z onetwo\n"


async def test_tail_of_a_long_log(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_bytes(b"".join(LINE + b" %d\n" % number for number in range(20_000)))
    assert (await text_of(path, LogOptions(tail_lines=3))).split() == [
        w for n in (19_997, 19_998, 19_999) for w in ("hello", str(n))
    ]


async def test_following_across_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    write(path, "a")
    living = True

    async def alive() -> bool:
        return living

    stream: AsyncIterator[bytes] = read_log(path, LogOptions(follow=True), alive)
    assert await anext(stream) == b"a\n"
    write(path, "b")
    assert await asyncio.wait_for(anext(stream), 2) == b"b\n"
    os.rename(path, tmp_path / "0.log.1")
    write(path, "c")
    assert await asyncio.wait_for(anext(stream), 2) == b"c\n"
    write(path, "d")
    living = False
    assert await asyncio.wait_for(anext(stream), 2) == b"d\n"
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 2)


def test_old_logs_are_compressed_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text("live")
    for number in range(6):
        (tmp_path / f"0.log.2026010{number}-000000").write_text("old")
    tidy(path, 4)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "0.log",
        "0.log.20260103-000000.gz",
        "0.log.20260104-000000.gz",
        "0.log.20260105-000000",
    ]
