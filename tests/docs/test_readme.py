"""The README and the docs match the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_map_names_every_package() -> None:
    text = (ROOT / "README.md").read_text()
    table = text[text.index("| folder of") : text.index("## Features")]
    named = set(re.findall(r"`(\w+)`", table))
    packages = {path.parent.name for path in (ROOT / "src/pybernetes").glob("*/__init__.py")}
    assert packages <= named, packages - named


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_have_targets(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_make_commands_are_targets() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"^make (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command


@pytest.mark.parametrize(
    "package", sorted((ROOT / "src/pybernetes").glob("*/__init__.py")), ids=lambda p: p.parent.name
)
def test_every_package_has_a_docstring(package: Path) -> None:
    assert package.read_text().startswith('"""')
