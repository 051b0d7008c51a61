"""What all plugins say about one template on every node, kept current row by row.

Placing a pod changes one row. So the next pod of the same template only asks the plugins that look at a node's usage,
for that one row; what depends on pods anywhere (spreading, affinity between pods) is asked anew each time.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np

from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.plugin import Filter, Scope
from pybernetes.scheduler.plugins import FILTERS, SCORES
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows

_LOCAL_FILTERS = tuple((i, f) for i, f in enumerate(FILTERS) if f.scope is not Scope.CLUSTER)
_CLUSTER_FILTERS = tuple((i, f) for i, f in enumerate(FILTERS) if f.scope is Scope.CLUSTER)
_LOCAL_SCORES = tuple((i, s) for i, s in enumerate(SCORES) if s.scope is not Scope.CLUSTER)
_CLUSTER_SCORES = tuple((i, s) for i, s in enumerate(SCORES) if s.scope is Scope.CLUSTER)

assert _LOCAL_FILTERS[-1][0] < _CLUSTER_FILTERS[0][0], "a node's reason is that of the first filter in the list"


class Evaluation:
    """Codes of all filters and raw numbers of all scores. Call `refresh` before reading."""

    def __init__(self, snapshot: Snapshot, template: Template) -> None:
        self.snapshot = snapshot
        self.template = template
        self._epoch = -1
        self._position = 0
        self._codes: list[Ints | None] = [None] * len(FILTERS)
        self._raw: list[Ints | None] = [None] * len(SCORES)
        self._local: Mask = np.zeros(0, np.bool_)
        """Rows that no local filter refuses."""
        self._settled: Ints = np.zeros(0, np.int64)
        """The weighted sum of the local scores that don't depend on other nodes."""
        self._kept: dict[int, tuple[Filter, int]] = {}
        """Rows kept for others, and what refuses the pod once those are there."""
        self.feasible: Mask = self._local

    def refresh(self) -> None:
        """Take in what has changed since the last time."""
        snapshot = self.snapshot
        changes = snapshot.changes_since(self._position) if self._epoch == snapshot.epoch else None
        if changes is None or len(changes.usage) + len(changes.node) > snapshot.nodes.size // 4 + 1:
            self._start()
        else:
            if changes.node:
                self._update(_array(changes.node), (Scope.NODE, Scope.USAGE))
            if changes.usage:
                self._update(_array(changes.usage), (Scope.USAGE,))
        self._epoch, self._position = snapshot.epoch, snapshot.position
        self.feasible = self._local
        self._kept = {}
        for i, plugin in _CLUSTER_FILTERS:
            codes = self._codes[i] = plugin.codes(snapshot, self.template, snapshot.nodes.rows)
            if codes is not None:
                self.feasible = self.feasible & (codes == 0)

    def _start(self) -> None:
        size = self.snapshot.nodes.size
        self._codes = [None] * len(FILTERS)
        self._raw = [None] * len(SCORES)
        self._local = np.zeros(size, np.bool_)
        self._settled = np.zeros(size, np.int64)
        self._update(slice(0, size), (Scope.NODE, Scope.USAGE))

    def _update(self, rows: Rows, scopes: tuple[Scope, ...]) -> None:
        snapshot, template, size = self.snapshot, self.template, self.snapshot.nodes.size
        passed = snapshot.nodes.valid[rows].copy()
        for i, plugin in _LOCAL_FILTERS:
            if plugin.scope in scopes:
                self._codes[i] = _merged(self._codes[i], plugin.codes(snapshot, template, rows), rows, size)
            codes = self._codes[i]
            if codes is not None:
                passed &= codes[rows] == 0
        self._local[rows] = passed
        settled = np.zeros(len(passed), np.int64)
        for i, score in _LOCAL_SCORES:
            if score.scope in scopes:
                self._raw[i] = _merged(self._raw[i], score.raw(snapshot, template, rows, self._local), rows, size)
            raw = self._raw[i]
            if raw is not None and not score.relative:
                settled += score.weight * raw[rows]
        self._settled[rows] = settled

    def exclude(self, row: int, plugin: Filter, code: int) -> None:
        """Leave a node out until the next refresh: its room is kept for somebody else."""
        self.feasible = self.feasible.copy()
        self.feasible[row] = False
        self._kept[row] = (plugin, code)

    def only(self, row: int) -> None:
        """Look at one node only, until the next refresh."""
        self.feasible = np.zeros_like(self.feasible)
        self.feasible[row] = True

    def totals(self) -> Ints:
        """The weighted sum of all scores; only those of feasible rows mean anything."""
        total = self._settled
        for i, score in _LOCAL_SCORES:
            raw = self._raw[i]
            # Raw numbers that are all 0 are the same for everybody after normalisation, too.
            if score.relative and raw is not None:
                several = slice(None) if raw.any() else slice(0, 1)
                total = total + score.weight * score.normalize(raw[several], self.feasible[several])
        for _, score in _CLUSTER_SCORES:
            raw = score.raw(self.snapshot, self.template, self.snapshot.nodes.rows, self.feasible)
            if raw is not None:
                total = total + score.weight * score.normalize(raw, self.feasible)
        return total

    def score_table(self) -> dict[str, Ints]:
        """Per plugin, the normalised and weighted score of each row: for explanations."""
        table = {}
        for score in SCORES:
            raw = score.raw(self.snapshot, self.template, self.snapshot.nodes.rows, self.feasible)
            if raw is not None:
                table[score.name] = score.weight * score.normalize(raw, self.feasible)
        return table

    def refusal(self, row: int) -> tuple[Filter, int] | None:
        """The first filter that refuses a node, and its code."""
        for plugin, codes in zip(FILTERS, self._codes, strict=True):
            if codes is not None and codes[row]:
                return plugin, int(codes[row])
        return None

    def failure(self) -> FitFailure:
        """Why no node is feasible: each node counts for the first filter that refuses it."""
        snapshot, template = self.snapshot, self.template
        left = snapshot.nodes.valid[snapshot.nodes.rows].copy()
        reasons: Counter[str] = Counter()
        plugins: list[str] = []
        hopeful: list[int] = []
        left[list(self._kept)] = False
        for plugin, codes in zip(FILTERS, self._codes, strict=True):
            if codes is None:
                continue
            refused = left & (codes != 0)
            if not refused.any():
                continue
            plugins.append(plugin.name)
            left &= ~refused
            for code, count in zip(*np.unique(codes[refused], return_counts=True), strict=True):
                for reason in plugin.reasons(snapshot, template, int(code)):
                    reasons[reason] += int(count)
                if plugin.resolvable(template, int(code)):
                    hopeful.extend(np.flatnonzero(refused & (codes == code)).tolist())
        for plugin, code in self._kept.values():
            plugins.append(plugin.name)
            reasons.update(plugin.reasons(snapshot, template, code))
        return FitFailure(len(snapshot.nodes), reasons, tuple(dict.fromkeys(plugins)), tuple(sorted(hopeful)))


def _array(rows: Iterable[int]) -> Rows:
    return np.fromiter(rows, np.intp)


def _merged(stored: Ints | None, new: Ints | None, rows: Rows, size: int) -> Ints | None:
    """Write the answers for `rows` into the stored array; an answer of None means 0 for all of them."""
    if isinstance(rows, slice):
        return new
    if new is None:
        if stored is not None:
            stored[rows] = 0
        return stored
    if stored is None:
        stored = np.zeros(size, np.int64)
    stored[rows] = new
    return stored


class Evaluations:
    """The evaluations of the templates last seen. Few are kept: each holds several arrays over all nodes."""

    def __init__(self, snapshot: Snapshot, *, remembered: int = 32) -> None:
        self._snapshot = snapshot
        self._remembered = remembered
        self._known: dict[Template, Evaluation] = {}

    def of(self, template: Template) -> Evaluation:
        """The evaluation of a template, refreshed."""
        found = self._known.pop(template, None)
        if found is None:
            found = Evaluation(self._snapshot, template)
            while len(self._known) >= self._remembered:
                del self._known[next(iter(self._known))]
        self._known[template] = found
        found.refresh()
        return found
