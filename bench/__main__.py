"""Every figure, with its target and the alternative: `python -m bench [--only NAME]... [--json]`."""

from __future__ import annotations

import importlib
import json
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

Row = dict[str, Any]

#: Units of which less is better; of all others, more.
LESS = {"s", "ms", "µs", "us", "MB", "KB", "MiB", "%", "% of a core"}


def modules() -> list[str]:
    """The benchmarks of this folder, by file name; a file without `run` is what several of them share."""
    files = Path(__file__).parent.glob("[!_]*.py")
    return sorted(path.stem for path in files if "\ndef run(" in "\n" + path.read_text())


def met(row: Row) -> bool | None:
    """Whether a figure reaches its target; None where there is none."""
    target, value = row.get("target"), row.get("value")
    if target is None or value is None:
        return None
    less = row.get("better") == "less" or ("better" not in row and row.get("unit") in LESS)
    return bool(value <= target if less else value >= target)


def number(value: object, unit: str = "") -> str:
    """A figure as text."""
    if value is None or value == "":
        return ""
    if isinstance(value, (int, float)):
        text = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
        return f"{text} {unit}".rstrip()
    return str(value)


def measure(name: str) -> tuple[list[Row], str]:
    """One module's rows, or why there are none."""
    try:
        rows = list(importlib.import_module(f"bench.{name}").run())
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # an error of one benchmark must not stop the others
        traceback.print_exc()
        return [], f"{type(error).__name__}: {error}"
    return [{"bench": name, **row, "met": met(row)} for row in rows], ""


def table(rows: list[Row]) -> Table:
    """All figures."""
    out = Table(title="Pybernetes, measured", title_justify="left")
    for head in ("bench", "figure"):
        out.add_column(head)
    for head in ("target", "measured", "", "alternative", "measured"):
        out.add_column(head, justify="left" if head in ("", "alternative") else "right")
    words = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}
    last = ""
    for row in rows:
        unit = str(row.get("unit", ""))
        out.add_row(
            row["bench"] if row["bench"] != last else "",
            str(row["figure"]),
            number(row.get("target"), unit),
            number(row.get("value"), unit),
            words[row["met"]],
            str(row.get("alternative") or ""),
            number(row.get("alternative_value"), unit),
            end_section=False,
        )
        last = row["bench"]
    return out


@click.command()
@click.option("--only", multiple=True, metavar="NAME", help="Run this benchmark only; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
@click.option("--list", "list_only", is_flag=True, help="Print the names of the benchmarks.")
def main(only: tuple[str, ...], as_json: bool, list_only: bool) -> None:
    """Measure. Exit code 1 if a benchmark failed (a missed target is a result, not a failure)."""
    # Ended from outside, a benchmark still removes its namespaces and processes.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    names = modules()
    if list_only:
        click.echo("\n".join(names))
        return
    unknown = [name for name in only if name not in names]
    if unknown:
        raise click.BadParameter(f"no benchmark named {', '.join(unknown)}; there are {', '.join(names)}")
    rows: list[Row] = []
    failed: dict[str, str] = {}
    notes = Console(stderr=True)
    for name in only or names:
        start = time.perf_counter()
        notes.print(f"{name} ...", end="", highlight=False)
        found, fault = measure(name)
        notes.print(f" {f'failed: {fault}' if fault else f'{time.perf_counter() - start:.1f} s'}", highlight=False)
        rows += found
        if fault:
            failed[name] = fault
    if as_json:
        click.echo(json.dumps({"rows": rows, "failed": failed}, indent=1))
    else:
        out = Console()
        Console(width=max(out.width, 150)).print(table(rows))
        missed = sum(row["met"] is False for row in rows)
        judged = sum(row["met"] is not None for row in rows)
        out.print(f"{judged - missed} of {judged} targets met" + "".join(f"; {n} failed" for n in failed))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main(prog_name="python -m bench")
