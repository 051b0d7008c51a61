"""Seconds per folder against a budget, and tests that are slow without saying so.

The budget informs; it fails nothing, since a busy machine is no fault of a test. Above SLOW_SECONDS of CPU time (its
children's included) a test without the mark `slow` fails: that hardly depends on what else the machine does.
"""

import os
from collections import defaultdict
from collections.abc import Generator
from pathlib import Path

import pytest

#: A test above this many seconds of CPU time has to be marked `slow`.
SLOW_SECONDS = 3.0
#: Seconds that the tests of a folder may take, one after the other, on two cores.
BUDGET = {
    "api": 20,
    "apiserver": 60,
    "cli": 60,
    "client": 30,
    "cluster": 120,
    "cni": 60,
    "controllers": 30,
    "dns": 10,
    "docs": 30,
    "e2e": 420,
    "etcd": 10,
    "flannel": 300,
    "insight": 30,
    "kubelet": 120,
    "linux": 20,
    "proxy": 20,
    "scheduler": 60,
    "store": 90,
    "vm": 120,
}
_MARKS_OF_SLOW = ("slow", "kernel", "node", "e2e", "vm")


def _cpu() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


class Budget:
    """A pytest plugin."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)
        self._tests: dict[str, int] = defaultdict(int)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, None, None]:
        """Fail a test that is slow and not marked."""
        before = _cpu()
        yield
        used = _cpu() - before
        if used > SLOW_SECONDS and not any(item.get_closest_marker(name) for name in _MARKS_OF_SLOW):
            pytest.fail(f"used {used:.1f} s of CPU time: make it faster, or mark it slow", pytrace=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add up what set-up, call and teardown took."""
        folder = Path(report.nodeid.partition("::")[0]).parts
        name = folder[1] if len(folder) > 2 else "."
        self._seconds[name] += report.duration
        self._tests[name] += report.when == "call"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """A line per folder."""
        if len(self._seconds) < 2:
            return
        terminalreporter.section("seconds per folder")
        for name in sorted(self._seconds, key=lambda n: -self._seconds[n]):
            allowed = BUDGET.get(name)
            over = "" if allowed is None or self._seconds[name] <= allowed else "  over budget"
            limit = "-" if allowed is None else str(allowed)
            terminalreporter.write_line(
                f"{name:14}{self._seconds[name]:8.1f} of {limit:>4} s {self._tests[name]:6} tests{over}"
            )
        terminalreporter.write_line(f"{'together':14}{sum(self._seconds.values()):8.1f} s")
