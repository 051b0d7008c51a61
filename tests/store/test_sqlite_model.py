"""The model-based test of the sqlite engine, with reopening, small windows and small compaction slices."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import pybernetes.store.log
from pybernetes.store.sqlite import SqliteStore
from support.profiles import sized

from .contract import splice
from .model import StoreMachine


class SqliteMachine(StoreMachine):
    reopens = True

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()

    async def open(self) -> SqliteStore:
        return await SqliteStore.open(Path(self.directory.name) / "store.db", stamp=splice, window=20)

    def teardown(self) -> None:
        super().teardown()
        self.directory.cleanup()


@pytest.fixture(autouse=True)
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pybernetes.store.log, "SLICE", 3)


SqliteMachine.TestCase.settings = settings(
    max_examples=sized(60, 600),
    stateful_step_count=40,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
TestSqliteModel = pytest.mark.slow(SqliteMachine.TestCase)
