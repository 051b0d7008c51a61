"""Faults and their findings, as text files that are reviewed as diffs."""

from pathlib import Path

import pytest

from insight.scenario import play

FILES = sorted((Path(__file__).parent / "testdata").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_scenario(path: Path) -> None:
    play(path)
