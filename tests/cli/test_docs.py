"""Command lines in the documentation name commands and flags that exist."""

import re
from pathlib import Path

import click
import pytest

from pybernetes.cli.main import command

DOCS = Path(__file__).parent.parent.parent / "docs"


def command_lines() -> list[tuple[str, list[str]]]:
    """Every `pybernetes ...` line of a code block: (page, words)."""
    found = []
    for page in sorted(DOCS.rglob("*.md")):
        if page.name == "cli.md":
            continue
        for block in re.findall(r"^```\w*\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                words = line.removeprefix("$ ").removeprefix("sudo ").split()
                if words[:1] == ["pybernetes"]:
                    found.append((page.name, words[1:]))
    return found


@pytest.mark.parametrize(("page", "words"), command_lines(), ids=lambda value: str(value)[:60])
def test_commands_and_flags_in_pages_exist(page: str, words: list[str]) -> None:
    found = command.get_command(click.Context(command), words[0])
    assert found is not None, f"{page}: {words[0]}"
    known = {option for parameter in found.params for option in (*parameter.opts, *parameter.secondary_opts)}
    flags = {word.partition("=")[0] for word in words[1:] if word.startswith("--")}
    assert flags <= known | {"--help"}, page
