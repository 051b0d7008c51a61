"""Nodes with containerd: one that the tests of a process share, and one for a single test."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.kubelet.cri.runtime import CriRuntime
from pybernetes.linux import mount

from .node import Node, running_node


@pytest.fixture(scope="package")
def shared_node() -> Iterator[Node]:
    """Runs containerd for all tests of a process."""
    with running_node() as found:
        yield found


@pytest.fixture
def node(shared_node: Node, tmp_path: Path) -> Iterator[Node]:
    """The shared node. Pods and mounts that a failed test leaves do not disturb the next one."""
    yield shared_node
    asyncio.run(remove_pods(shared_node))
    mount.unmount_all(tmp_path)


@pytest.fixture
def own_node(tmp_path: Path) -> Iterator[Node]:
    """A node for one test, which may stop its containerd."""
    with running_node() as found:
        yield found
    mount.unmount_all(tmp_path)


async def remove_pods(node: Node) -> None:
    """Remove all pods from a node."""
    runtime = CriRuntime(node.socket)
    for uid in await runtime.list_pods():
        for sandbox in (await runtime.pod(uid)).sandboxes:
            await runtime.stop_sandbox(sandbox.id)
            await runtime.remove_sandbox(sandbox.id)
    await runtime.close()
