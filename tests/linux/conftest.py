"""Private network namespaces for tests of the kernel layer."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from pybernetes.linux import netns
from pybernetes.linux.rtnl import Netlink


@pytest.fixture
def new_netns(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Creates namespaces with unique names; all are removed at the end."""
    made: list[str] = []

    def make() -> str:
        name = f"pbt-lx-{os.getpid()}-{len(made)}"
        netns.create(name)
        made.append(name)
        return name

    yield make
    for name in made:
        netns.delete(name)


@pytest.fixture
def ns(new_netns: Callable[[], str]) -> str:
    return new_netns()


@pytest.fixture
def nl(ns: str) -> Iterator[Netlink]:
    with Netlink(ns) as socket:
        yield socket
