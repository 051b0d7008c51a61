"""Nothing outlives its test: asyncio tasks, threads, child processes, network namespaces.

Tasks are compared around each test. Threads, children and namespaces may belong to a fixture of a module, so they are
compared when a module ends, once its fixtures are torn down.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Generator, Set
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


def threads() -> dict[str, str]:
    """Threads that keep a process from ending, described."""
    main = threading.main_thread()
    alive = (t for t in threading.enumerate() if t is not main and not t.daemon)
    return {f"thread {t.ident}": t.name for t in alive}


def children() -> dict[str, str]:
    """This process' children, with their programs."""
    found: dict[str, str] = {}
    for task in Path("/proc/self/task").iterdir():
        for pid in _read(task / "children").split():
            found[f"process {pid}"] = _read(Path("/proc", pid, "cmdline")).replace("\0", " ")[:120] or "not waited for"
    return found


def _read(path: Path) -> str:
    """A file of /proc, empty if its process has ended."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def namespaces() -> dict[str, str]:
    """Named network namespaces that this process' tests made: their names hold its id."""
    mark = f"-{os.getpid()}"
    if not _NAMESPACES.is_dir():
        return {}
    return {f"namespace {path.name}": str(path) for path in _NAMESPACES.iterdir() if mark in path.name}


def present() -> dict[str, str]:
    """All of it: identity -> description."""
    return threads() | children() | namespaces()


class Leftovers:
    """A pytest plugin: compares when a module is over, and leaves what fixtures of a package or session made."""

    def __init__(self) -> None:
        self._at_start: frozenset[str] = frozenset()
        self._expected: set[str] = set()

    def pytest_sessionstart(self) -> None:
        """Ignore what is there before the first test."""
        self._at_start = frozenset(present())
        self._expected = set(self._at_start)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> Generator[None, object, object]:
        """What such a fixture makes may outlive the module in which it is first used."""
        if fixturedef.scope not in ("package", "session"):
            return (yield)
        before = frozenset(present())
        result = yield
        self._expected |= present().keys() - before
        return result

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, None, None]:
        """Fail the last test of a module if something is left."""
        yield
        if nextitem is None or nextitem.path != item.path:
            expected = self._at_start if nextitem is None else self._expected
            left = _after_grace(expected)
            self._expected |= left.keys()  # reported once
            assert not left, f"left behind by {item.path.name}: {left}"


def _after_grace(expected: Set[str]) -> dict[str, str]:
    """What is there beyond the expected, and does not go within GRACE."""
    end = time.monotonic() + GRACE
    while (left := present()) and not (left.keys() <= expected) and time.monotonic() < end:
        time.sleep(0.05)
    return {key: text for key, text in left.items() if key not in expected}
