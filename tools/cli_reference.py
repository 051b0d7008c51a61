"""Write docs/reference/cli.md from the commands: `python tools/cli_reference.py`. A test checks it."""

import sys
from pathlib import Path

import click

from pybernetes.cli.main import COMMANDS, command

TARGET = Path(__file__).parent.parent / "docs" / "reference" / "cli.md"
HEAD = """# Commands

Generated from the commands by `python tools/cli_reference.py`; change the help texts, not this file.

`pybernetes COMMAND --help` prints the same. Exit codes: 0 success; 1 failure, with one line on stderr that names the
cause and the fix; 2 invalid command line; 130 interrupted. Commands that run a component take the flags of the
corresponding Kubernetes component or of flanneld: `--flag value`, `--flag=value` and `-flag=value` are the same, lists
are separated by commas, durations are written as in Go (`1m30s`).
"""


def section(name: str, found: click.Command, parent: click.Context, level: int = 2) -> list[str]:
    """The section of a command and its subcommands."""
    context = click.Context(found, info_name=name, parent=parent)
    lines = [f"{'#' * level} {context.command_path}", "", _prose(found.help or ""), ""]
    lines += ["```", " ".join([context.command_path, *found.collect_usage_pieces(context)]), "```", ""]
    rows = [record for parameter in found.params if (record := parameter.get_help_record(context)) is not None]
    if rows:
        lines += ["| flag | meaning |", "|---|---|"]
        lines += [f"| `{_cell(option)}` | {_cell(text)} |" for option, text in rows]
        lines.append("")
    if isinstance(found, click.Group):
        for child in found.list_commands(context):
            below = found.get_command(context, child)
            assert below is not None
            lines += section(child, below, context, level + 1)
    return lines


def _prose(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.strip().split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def render() -> str:
    """The content of the file."""
    root = click.Context(command, info_name="pybernetes")
    lines = [HEAD]
    for name in COMMANDS:
        found = command.get_command(root, name)
        assert found is not None
        lines += section(name, found, root)
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(render())
    print(f"{TARGET} written", file=sys.stderr)
