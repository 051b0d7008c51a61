"""Every backend is documented: what it puts into the kernel, and when to choose it."""

import re
from pathlib import Path

import pytest

from pybernetes.flannel.backends import BACKENDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_what_it_puts_into_the_kernel(backend: str) -> None:
    text = (DOCS / "reference/backends.md").read_text()
    assert re.search(rf"^## {re.escape(backend)}$", text, re.MULTILINE)


@pytest.mark.parametrize("backend", sorted(BACKENDS))
def test_when_to_choose_it(backend: str) -> None:
    rows = re.findall(r"^\| \[?`?([\w-]+)`?\]?", (DOCS / "tasks/choose-backend.md").read_text(), re.MULTILINE)
    assert backend in rows
