"""Logs each problem once when it appears and once when it clears, and each wait once."""

import logging
from collections.abc import Iterable

log = logging.getLogger(__name__)


class ProblemLog:
    """The problems and waits of one daemon."""

    def __init__(self) -> None:
        self._problems: set[str] = set()
        self._waiting: frozenset[str] = frozenset()

    @property
    def problems(self) -> int:
        """How many there are."""
        return len(self._problems)

    def report(self, problems: Iterable[str]) -> None:
        """Log problems that are new and those that have cleared."""
        now = dict.fromkeys(problems)
        for problem in now:
            if problem not in self._problems:
                log.warning("%s", problem)
        for gone in self._problems - now.keys():
            log.info("no longer: %s", gone)
        self._problems = set(now)

    def waiting(self, lines: Iterable[str]) -> None:
        """Log what has to wait. This is not a problem."""
        now = dict.fromkeys(lines)
        for line in now:
            if line not in self._waiting:
                log.info("%s", line)
        self._waiting = frozenset(now)
