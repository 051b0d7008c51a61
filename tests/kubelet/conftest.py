"""Nodes with containerd: one that the tests of a process share, and one for a single test."""

from collections.abc import Iterator

import pytest

from .node import Node, running_node


@pytest.fixture(scope="package")
def node() -> Iterator[Node]:
    """The shared node."""
    with running_node() as found:
        yield found


@pytest.fixture
def own_node() -> Iterator[Node]:
    """A node for one test, which may stop its containerd."""
    with running_node() as found:
        yield found
