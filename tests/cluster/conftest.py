"""Clusters for tests: short private directories and unique names; always removed afterwards."""

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from pybernetes.cluster.down import down
from pybernetes.cluster.inventory import Roots
from pybernetes.cluster.registry import Registry


@pytest.fixture
def roots() -> Iterator[Roots]:
    """State and run directories. Their paths are short because they contain sockets."""
    top = Path(tempfile.mkdtemp(prefix="pbt-"))
    yield Roots(top / "s", top / "r")
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def registry(roots: Roots) -> Registry:
    """An empty registry."""
    return Registry(roots.state, roots.run)


@pytest.fixture
def name(roots: Roots, tmp_path: Path) -> Iterator[str]:
    """The name of a cluster that is removed after the test."""
    cluster = f"pbt-{uuid.uuid4().hex[:8]}"
    yield cluster
    for found in {cluster, *Registry(roots.state, roots.run).read().clusters}:
        down(found, roots=roots, user_kubeconfig=tmp_path / "no-kubeconfig")
