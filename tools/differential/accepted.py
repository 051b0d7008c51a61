"""Differences that are meant to stay: accepted.yaml gives each a reason.

An entry names a kind (`*` for all), a mode (`*` for all), a pattern of places (shell style, indexes as numbers), the
sorts of value, and why. `make test` fails on a difference that no entry covers, and on an entry that covers none.
"""

import fnmatch
from dataclasses import dataclass
from pathlib import Path

import yaml

from .corpus import Case, dotted

FILE = Path(__file__).parent / "accepted.yaml"


@dataclass(frozen=True, slots=True)
class Accepted:
    """One entry. `how`: sorts of value, all if empty."""

    kind: str
    mode: str
    at: str
    why: str
    how: tuple[str, ...] = ()

    def covers(self, kind: str, case: Case) -> bool:
        """Whether the entry speaks of a case of a kind (`apps.v1.Deployment`)."""
        (change,) = case.changes
        return (
            fnmatch.fnmatchcase(kind, self.kind)
            and fnmatch.fnmatchcase(case.mode, self.mode)
            and fnmatch.fnmatchcase(dotted(change.at), self.at)
            and (not self.how or change.how in self.how)
        )


def load(path: Path = FILE) -> tuple[Accepted, ...]:
    """The entries. Raises TypeError for one that lacks a field."""
    entries = yaml.safe_load(path.read_text()) or []
    return tuple(Accepted(**{**entry, "how": tuple(entry.get("how", ()))}) for entry in entries)
