"""Every backend is documented: its kernel objects, and when to choose it."""

import re
from pathlib import Path

import pytest

from pybernetes.flannel.backends import BACKENDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_the_reference_has_a_section(backend: str) -> None:
    text = (DOCS / "reference/backends.md").read_text()
    assert re.search(rf"^## {re.escape(backend)}$", text, re.MULTILINE)


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_the_guide_has_a_row(backend: str) -> None:
    rows = re.findall(r"^\| \[?`?([\w-]+)`?\]?", (DOCS / "tasks/choose-backend.md").read_text(), re.MULTILINE)
    assert backend in rows
