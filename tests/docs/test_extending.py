"""docs/extending: every extension point has a list in the code, a page, and a test that performs the page's example."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs/extending"
README = (FOLDER / "README.md").read_text()
ROWS = re.findall(r"^\| (an? .*?) \| `(.*?)` \| \[.*?\]\((.*?)\) \| `(.*?)` \|$", README, re.MULTILINE)


def test_every_page_has_a_row() -> None:
    assert {page for _, _, page, _ in ROWS} == {path.name for path in FOLDER.glob("*.md")} - {"README.md"}


@pytest.mark.parametrize(("point", "where", "page", "test"), ROWS, ids=[row[2].removesuffix(".md") for row in ROWS])
def test_list_page_and_test_exist_and_refer_to_each_other(point: str, where: str, page: str, test: str) -> None:
    assert (ROOT / where).is_file() and (ROOT / test).is_file(), point
    text = (FOLDER / page).read_text()
    assert text.startswith("# How to add "), page
    assert test in text, f"{page} names the test that performs it"
    assert page in (ROOT / test).read_text(), f"{test} reads {page}"
