"""Scenario files: a name, then sections of YAML with titles.

=== containers merge by name
--- live
...
--- patch
...
--- result
...
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class Section:
    """One part: its title (`apply kubectl force`) and its YAML."""

    title: str
    value: Any


@dataclass(frozen=True)
class Scenario:
    """A name and its sections in order."""

    name: str
    sections: tuple[Section, ...]

    def get(self, title: str) -> Any:
        return next(s.value for s in self.sections if s.title == title)


def load(file: str) -> list[Scenario]:
    scenarios = []
    for block in re.split(r"^=== ", (FOLDER / file).read_text(), flags=re.M)[1:]:
        name, _, body = block.partition("\n")
        parts = re.split(r"^--- (.*)\n", body, flags=re.M)[1:]
        sections = tuple(Section(t.strip(), yaml.safe_load(v)) for t, v in zip(parts[::2], parts[1::2], strict=True))
        scenarios.append(Scenario(name.strip(), sections))
    return scenarios
