"""What was said already: a fault, or a wait, is told once, and a fault once more when it has gone."""

import logging
from collections.abc import Iterable

log = logging.getLogger(__name__)


class ProblemLog:
    """Remembers it for one daemon."""

    def __init__(self) -> None:
        self._problems: set[str] = set()
        self._waiting: frozenset[str] = frozenset()

    @property
    def problems(self) -> int:
        """How many there are now."""
        return len(self._problems)

    def report(self, problems: Iterable[str]) -> None:
        """Each problem once, until it has gone."""
        now = dict.fromkeys(problems)
        for problem in now:
            if problem not in self._problems:
                log.warning("%s", problem)
        for gone in self._problems - now.keys():
            log.info("no longer: %s", gone)
        self._problems = set(now)

    def waiting(self, lines: Iterable[str]) -> None:
        """What comes later; no fault."""
        now = dict.fromkeys(lines)
        for line in now:
            if line not in self._waiting:
                log.info("%s", line)
        self._waiting = frozenset(now)
