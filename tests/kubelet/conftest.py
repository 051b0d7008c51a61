"""One containerd for all kubelet tests that need one."""

from collections.abc import Iterator

import pytest

from .node import Node, running_node


@pytest.fixture(scope="package")
def node() -> Iterator[Node]:
    """A node with a runtime."""
    with running_node() as found:
        yield found
