"""The launchers, installed once, and new namespaces for each test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import pybernetes.cni
from cni.cni_world import World


@pytest.fixture(scope="session")
def bin_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("cni-bin")
    pybernetes.cni.install(directory)
    return directory


@pytest.fixture
def world(tmp_path: Path, bin_dir: Path, request: pytest.FixtureRequest) -> Iterator[World]:
    made = World(tmp_path, bin_dir, f"pbt-cni-{os.getpid()}")
    yield made
    made.close()
