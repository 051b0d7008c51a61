"""How pytest-xdist spreads the suite over processes: one group per file, some files together, long groups first.

One process runs the tests of a group in order. Files that use the same expensive fixture (a cluster, a containerd) are
one group, so that it is made once. Groups start in the order of collection: those that take longest come first, so
that no process ends minutes after the others.
"""

from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

TESTS = Path(__file__).parent.parent

#: Files that share a fixture: folder -> fixture -> files.
SHARED = {
    "e2e": (
        "cluster",
        (
            "test_bad_input.py",
            "test_demo.py",
            "test_drain.py",
            "test_kubectl.py",
            "test_python_clients.py",
            "test_rolling.py",
        ),
    ),
    "cluster": (
        "roots",
        (
            "test_file_view.py",
            "test_half_up.py",
            "test_network_kernel.py",
            "test_nodes.py",
            "test_registry.py",
            "test_supervisor.py",
        ),
    ),
    "kubelet": ("node", ("test_containerd.py", "test_kubectl.py", "test_runtime_contract.py", "test_volumes.py")),
}

#: Folders in the order in which their groups start.
FIRST = ("e2e", "vm", "kubelet", "cluster", "flannel", "store")

#: Seconds that one test may take, where the 120 of pyproject.toml are too few on a busy machine, by mark.
LIMITS = {"vm": 900, "e2e": 600, "node": 300}


#: Single files that belong to the group of another folder: both make clusters in directories of their own.
ALSO = {"cli/test_up.py": "cluster/roots"}


def group_of(path: str) -> str:
    """The group of a test file, given its path below tests/ with forward slashes."""
    if path in ALSO:
        return ALSO[path]
    folder, _, name = path.partition("/")
    fixture, files = SHARED.get(folder, ("", ()))
    return f"{folder}/{fixture}" if name in files else path


class Lanes(LoadScopeScheduling):
    """The scheduler: a scope is a group."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid.partition("::")[0].removeprefix("tests/"))


def spread(items: list[pytest.Item]) -> None:
    """Order the tests by group, the long ones first, and set limits. The order within a group stays.

    Raises UsageError for a test that uses a shared fixture outside the files that share it.
    """
    for item in items:
        _check(item)
        marks = {mark.name for mark in item.iter_markers()}
        limits = [limit for name, limit in LIMITS.items() if name in marks]
        if limits and "timeout" not in marks:
            item.add_marker(pytest.mark.timeout(max(limits)))
    items.sort(key=_rank)


def _below(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()


def _check(item: pytest.Item) -> None:
    path = _below(item)
    folder = path.partition("/")[0]
    fixture, _ = SHARED.get(folder, ("", ()))
    uses = isinstance(item, pytest.Function) and fixture in item.fixturenames
    if uses and group_of(path) == path:
        raise pytest.UsageError(
            f"tests/{path} uses the fixture {fixture!r}: add it to SHARED in tests/support/lanes.py"
        )


def _rank(item: pytest.Item) -> int:
    folder = _below(item).partition("/")[0]
    return FIRST.index(folder) if folder in FIRST else len(FIRST)
