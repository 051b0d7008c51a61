"""A containerd shared by the tests of this folder that run in the same process, and one that a test may break."""

from collections.abc import Iterator

import pytest

from .node import Node, running_node


@pytest.fixture(scope="package")
def node() -> Iterator[Node]:
    """A node with a runtime."""
    with running_node() as found:
        yield found


@pytest.fixture
def own_node() -> Iterator[Node]:
    """A node for one test, which may stop its runtime."""
    with running_node() as found:
        yield found
