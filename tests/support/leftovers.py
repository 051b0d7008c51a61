"""Nothing outlives its test: asyncio tasks, threads, child processes, network namespaces.

Tasks are compared around each test. Threads, children and namespaces may belong to a fixture of a module, so they are
compared when a module ends, once its fixtures are torn down.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

#: Seconds that something may take to end by itself after its test.
GRACE = 5.0
_NAMESPACES = Path("/run/netns")


@pytest.fixture
async def no_leftover_tasks() -> AsyncIterator[None]:
    """Fails a test that leaves an asyncio task running."""
    before = asyncio.all_tasks()
    yield
    end = time.monotonic() + GRACE
    while (left := _running() - before) and time.monotonic() < end:
        await asyncio.sleep(0.01)
    for task in left:
        task.cancel()
    assert not left, f"tasks left running: {[f'{task.get_name()} {task.get_coro()!r}' for task in left]}"


def _running() -> set["asyncio.Task[object]"]:
    """The loop's tasks without this one, and without those of compiled libraries (gRPC keeps some for its channels)."""
    own = asyncio.current_task()
    return {t for t in asyncio.all_tasks() if t is not own and "_cython" not in type(t.get_coro()).__module__}


def watch_tasks(items: list[pytest.Item]) -> None:
    """Use `no_leftover_tasks` in every asynchronous test, outside all other fixtures."""
    for item in items:
        if isinstance(item, pytest.Function) and asyncio.iscoroutinefunction(item.function):
            item.fixturenames.insert(0, no_leftover_tasks.__name__)


def threads() -> set[str]:
    """Threads that keep a process from ending."""
    main = threading.main_thread()
    return {
        f"thread {t.name}" for t in threading.enumerate() if t is not main and not t.daemon and "execnet" not in t.name
    }


def children() -> set[str]:
    """This process' children, and their programs."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            pids = (task / "children").read_text().split()
        except OSError:
            continue
        for pid in pids:
            try:
                words = Path("/proc", pid, "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            found.add(f"process {pid}: {' '.join(words)[:120].strip() or '(ended, not waited for)'}")
    return found


def namespaces() -> set[str]:
    """Named network namespaces that this process' tests made: their names hold its id."""
    mark = f"-{os.getpid()}"
    if not _NAMESPACES.is_dir():
        return set()
    return {f"network namespace {path.name}" for path in _NAMESPACES.iterdir() if mark in path.name}


def present() -> set[str]:
    """All of it."""
    return threads() | children() | namespaces()


class Leftovers:
    """A pytest plugin: compares when a module is over, and leaves what fixtures of a package or session made."""

    def __init__(self) -> None:
        self._at_start: set[str] = set()
        self._expected: set[str] = set()

    def pytest_sessionstart(self) -> None:
        """Ignore what is there before the first test."""
        self._at_start = present()
        self._expected = set(self._at_start)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """What such a fixture makes may outlive the module in which it is first used."""
        if fixturedef.scope not in ("package", "session"):
            return (yield)
        before = present()
        result = yield
        self._expected |= present() - before
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
        """Fail the last test of a module if something is left."""
        yield
        if nextitem is None or nextitem.path != item.path:
            expected = self._at_start if nextitem is None else self._expected
            left = _after_grace(expected)
            self._expected |= left  # reported once
            assert not left, f"left behind by {item.path.name}: {sorted(left)}"


def _after_grace(expected: set[str]) -> set[str]:
    """What is there beyond the expected, and does not go within GRACE."""
    end = time.monotonic() + GRACE
    while (left := present() - expected) and time.monotonic() < end:
        time.sleep(0.05)
    return left
