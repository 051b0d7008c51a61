"""How the suite is spread over pytest-xdist's processes: one group per file, some files together, long groups first.

`make test` runs `-n N --dist loadgroup --no-loadscope-reorder`: a group is run by one process, in order, and groups
are handed out in the order of collection. What shares an expensive fixture (a cluster, a containerd) is one group;
what takes longest starts first, so that no process ends minutes after the others.
"""

from collections.abc import Collection
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent

#: Fixtures that are expensive and shared by several files; the tests that use one are one group.
SHARED_FIXTURES = {"e2e": "cluster", "kubelet": "node"}

#: Long groups in the order in which they start; a path below tests/ that a group begins with. The rest follows.
FIRST: tuple[str, ...] = ("e2e", "vm", "kubelet", "cluster", "flannel", "store")


#: Seconds that one test may take, where the 120 of pyproject.toml are too few on a busy machine, by mark.
LIMITS = {"vm": 900, "e2e": 600, "node": 300}


def _below(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).as_posix()


def _fixtures(item: pytest.Item) -> Collection[str]:
    return item.fixturenames if isinstance(item, pytest.Function) else ()


def group_of(path: str, fixtures: Collection[str]) -> str:
    """The group of a test with these fixtures in a file (its path below tests/)."""
    folder = path.partition("/")[0]
    shared = SHARED_FIXTURES.get(folder)
    return f"{folder}-{shared}" if shared in fixtures else path


def spread(items: list[pytest.Item]) -> None:
    """Give each test its group and its limit, and put the long groups first. The order within a file stays."""
    for item in items:
        marks = frozenset(mark.name for mark in item.iter_markers())
        item.add_marker(pytest.mark.xdist_group(group_of(_below(item), _fixtures(item))))
        limits = [limit for name, limit in LIMITS.items() if name in marks]
        if limits and "timeout" not in marks:
            item.add_marker(pytest.mark.timeout(max(limits)))

    def rank(item: pytest.Item) -> int:
        path = _below(item)
        return next((index for index, start in enumerate(FIRST) if path.startswith(start)), len(FIRST))

    items.sort(key=rank)
