"""Supervision of child processes: real processes that run, exit and fail to start."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pybernetes.flannel.backends.child import Child, Process

pytestmark = pytest.mark.slow


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def kill(process: Process) -> None:
    process.kill()


@asynccontextmanager
async def kept(folder: Path, script: str) -> AsyncIterator[Child]:
    """A child that runs this shell script; its folder is `$FOLDER`, and it counts as ready when `up` exists."""

    async def live(pid: int) -> None:
        await until((folder / "up").exists)
        child.answers.set()
        await asyncio.Event().wait()

    child = Child(
        "shell", None, folder / "log", argv=lambda: ["sh", "-c", script], live=live, env={"FOLDER": str(folder)}
    )
    child.begin()
    try:
        yield child
    finally:
        await child.finish(kill)
    assert child.pid is None and not child.running and not child.answers.is_set()


async def test_a_process_that_exits_is_restarted(tmp_path: Path) -> None:
    async with kept(tmp_path, "touch $FOLDER/up; exec sleep 1000") as child:
        assert await child.answered(30) == ""
        first = child.pid
        assert first is not None
        os.kill(first, 9)
        await until(lambda: child.pid not in (None, first))
        assert await child.answered(30) == "" and child.starts == 2 and not child.fault


async def test_a_process_that_exits_at_once_is_a_fault_until_it_runs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = """
        [ -e $FOLDER/well ] && touch $FOLDER/up && exec sleep 1000
        echo "2026-01-01T00:00:00 07[DMN] no key of that kind" >> $FOLDER/log
        exit 3
    """
    faults: list[str] = []
    async with kept(tmp_path, script) as child:
        child.changed = lambda: faults.append(child.fault)
        fault = await child.answered(30)
        assert fault == (f"shell exits right after each start: [DMN] no key of that kind; see {tmp_path}/log")
        await until(lambda: child.starts > 5)
        lines = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
        assert lines == [f"shell ended with code 3; restarting it (its log is {tmp_path}/log)"] * 4
        (tmp_path / "well").touch()
        await until(lambda: not child.fault)
        assert faults == [fault, ""] and await child.answered(30) == ""


@pytest.mark.parametrize("last", [None, b"", b"\xff\xfe\n\n"])
async def test_a_process_that_exits_without_a_log_line(tmp_path: Path, last: bytes | None) -> None:
    if last is not None:
        (tmp_path / "log").write_bytes(last)
    async with kept(tmp_path, "exit 1") as child:
        assert (await child.answered(30)).endswith(f"; see {tmp_path}/log")


async def test_a_process_that_never_becomes_ready(tmp_path: Path) -> None:
    async with kept(tmp_path, "exec sleep 1000") as child:
        with pytest.raises(TimeoutError):
            await child.answered(0.1)


async def test_a_process_that_cannot_be_started_is_retried(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def argv() -> list[str]:
        raise OSError("no room")

    async def live(pid: int) -> None:
        raise AssertionError

    child = Child("shell", None, tmp_path / "log", argv=argv, live=live)
    child.begin()
    try:
        assert await child.answered(30) == "shell could not be started: no room"
        assert "shell could not be started: no room; restarting it" in caplog.text
    finally:
        await child.finish(kill)


async def test_an_error_in_live_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def live(pid: int) -> None:
        raise ValueError("what is this?")

    child = Child("shell", None, tmp_path / "log", argv=lambda: ["sh", "-c", "exit 0"], live=live)
    child.begin()
    try:
        await child.answered(30)
        assert "shell is no longer checked" in caplog.text and "what is this?" in caplog.text
    finally:
        await child.finish(kill)
