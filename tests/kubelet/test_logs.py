"""Containers' logs: format, reading, following, rotation."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pybernetes.kubelet.logs.cri_log import parse, tail_text, time_key
from pybernetes.kubelet.logs.files import prune
from pybernetes.kubelet.logs.reader import LogOptions, read_log

LINE = b"2026-01-02T15:04:05.123456789Z stdout F hello"


@pytest.mark.parametrize("line", [b"", b"x", b"2026 stdout F x", b"2026-01-02T15:04:05.1Z both F x", b"\xff" * 40])
def test_lines_that_do_not_have_the_format(line: bytes) -> None:
    assert parse(line) is None


def test_partial_lines_have_no_newline() -> None:
    full, part = parse(LINE), parse(LINE.replace(b" F ", b" P "))
    assert full is not None
    assert part is not None
    assert (full.text, part.text) == (b"hello\n", b"hello")
    assert time_key("2026-01-02T15:04:05Z") < time_key("2026-01-02T15:04:05.000000001Z")


def write(path: Path, *texts: str, tag: str = "F", second: int = 0) -> None:
    with path.open("a") as file:
        for index, text in enumerate(texts):
            file.write(f"2026-01-02T15:04:{second + index:02}.000000000Z stdout {tag} {text}\n")


async def never_running() -> bool:
    return False


async def text_of(path: Path, options: LogOptions) -> str:
    return b"".join([block async for block in read_log(path, options, never_running)]).decode()


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


async def test_partial_lines_count_as_one_line(tmp_path: Path) -> None:
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
    running = True

    async def alive() -> bool:
        return running

    stream: AsyncIterator[bytes] = read_log(path, LogOptions(follow=True), alive)
    assert await anext(stream) == b"a\n"
    write(path, "b")
    assert await asyncio.wait_for(anext(stream), 2) == b"b\n"
    os.rename(path, tmp_path / "0.log.1")
    write(path, "c")
    assert await asyncio.wait_for(anext(stream), 2) == b"c\n"
    write(path, "d")
    running = False
    assert await asyncio.wait_for(anext(stream), 2) == b"d\n"
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(stream), 2)


def test_old_logs_are_compressed_and_removed(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    path.write_text("live")
    for number in range(6):
        (tmp_path / f"0.log.2026010{number}-000000").write_text("old")
    prune(path, 4)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "0.log",
        "0.log.20260103-000000.gz",
        "0.log.20260104-000000.gz",
        "0.log.20260105-000000",
    ]
