"""The root of all tests: how they are spread, what they may take, what they may leave."""

import os

import pytest

from support import lanes, leftovers
from support.budget import Budget
from support.leftovers import Leftovers, no_leftover_tasks

__all__ = ["no_leftover_tasks"]

if not os.environ.get("PYBERNETES_VM"):  # Hypothesis is not taken into virtual machines.
    from support import profiles

    profiles.load()


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugins of tests/support."""
    config.pluginmanager.register(Budget(), "pybernetes-budget")
    config.pluginmanager.register(Leftovers(), "pybernetes-leftovers")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the tests, and watch their tasks."""
    lanes.spread(items)
    leftovers.watch_tasks(items)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> lanes.Lanes:
    """Hand out groups of files instead of single tests."""
    return lanes.Lanes(config, log)
