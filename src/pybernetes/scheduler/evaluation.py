"""What the filters and scores of a profile answer about one template on every node, kept current row by row.

Placing a pod changes one row. So the next pod of the same template only asks the plugins that look at a node's usage,
for that one row; plugins of scope CLUSTER (spreading, affinity between pods) are asked again for every pod.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pybernetes.scheduler.failure import FitFailure
from pybernetes.scheduler.handle import NamedFilter
from pybernetes.scheduler.points import Narrowed, Rejected, Scope
from pybernetes.scheduler.profile import Profile
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Mask, Rows


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a node is refused."""

    plugin: str
    reasons: list[str]


class Evaluation:
    """Codes of all filters and raw numbers of all scores. Call `refresh` before reading."""

    def __init__(self, snapshot: Snapshot, profile: Profile, template: Template) -> None:
        self.snapshot = snapshot
        self.profile = profile
        self.template = template
        self._epoch = -1
        self._position = 0
        self._codes: list[Ints | None] = [None] * len(profile.filters)
        self._raw: list[Ints | None] = [None] * len(profile.scores)
        self._local: Mask = np.zeros(0, np.bool_)
        """Rows that no local filter refuses."""
        self._settled: Ints = np.zeros(0, np.int64)
        """The weighted sum of the local scores that don't depend on other nodes."""
        self._reserved: dict[int, Refusal] = {}
        """Rows whose room nominated pods will need, and what refuses this pod once they are there."""
        self._rejection: tuple[str, Rejected] | None = None
        self._narrowed: tuple[list[str], Mask] | None = None
        """PreFilter plugins that named nodes, and the rows of the nodes that all of them named."""
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
        self._reserved = {}
        for i, cluster_filter in self.profile.cluster_filters:
            codes = self._codes[i] = cluster_filter.codes(snapshot, self.template, snapshot.nodes.rows)
            if codes is not None:
                self.feasible = self.feasible & (codes == 0)
        self._pre_filter()

    def _pre_filter(self) -> None:
        self._rejection, self._narrowed = None, None
        for name, pre_filter in self.profile.pre_filters:
            result = pre_filter(self.snapshot, self.template)
            if isinstance(result, Narrowed):
                self._narrow(name, result.names)
            elif result is not None:
                self._rejection = name, result
                self.feasible = np.zeros_like(self.feasible)
                return

    def _narrow(self, name: str, node_names: Iterable[str]) -> None:
        inside: Mask = np.zeros(self.snapshot.nodes.size, np.bool_)
        row_of = self.snapshot.nodes.row_of
        inside[[row for node in node_names if (row := row_of.get(node)) is not None]] = True
        names, before = self._narrowed or ([], inside)
        self._narrowed = [*names, name], inside & before
        self.feasible = self.feasible & inside

    def _start(self) -> None:
        size = self.snapshot.nodes.size
        self._codes = [None] * len(self.profile.filters)
        self._raw = [None] * len(self.profile.scores)
        self._local = np.zeros(size, np.bool_)
        self._settled = np.zeros(size, np.int64)
        self._update(slice(0, size), (Scope.NODE, Scope.USAGE))

    def _update(self, rows: Rows, scopes: tuple[Scope, ...]) -> None:
        snapshot, template, size = self.snapshot, self.template, self.snapshot.nodes.size
        passed = snapshot.nodes.valid[rows].copy()
        for i, local_filter in self.profile.local_filters:
            if local_filter.scope in scopes:
                self._codes[i] = _merged(self._codes[i], local_filter.codes(snapshot, template, rows), rows, size)
            codes = self._codes[i]
            if codes is not None:
                passed &= codes[rows] == 0
        self._local[rows] = passed
        settled = np.zeros(len(passed), np.int64)
        for i, score, weight in self.profile.local_scores:
            if score.scope in scopes:
                self._raw[i] = _merged(self._raw[i], score.raw(snapshot, template, rows, self._local), rows, size)
            raw = self._raw[i]
            if raw is not None and not score.relative:
                settled += weight * raw[rows]
        self._settled[rows] = settled

    def exclude(self, row: int, refusal: Refusal) -> None:
        """Leave a node out until the next refresh: nominated pods will need its room."""
        self.feasible = self.feasible.copy()
        self.feasible[row] = False
        self._reserved[row] = refusal

    def only(self, row: int) -> None:
        """Look at one node only, until the next refresh."""
        self.feasible = np.zeros_like(self.feasible)
        self.feasible[row] = True

    def totals(self) -> Ints:
        """The weighted sum of all scores; only those of feasible rows mean anything."""
        total = self._settled
        for i, score, weight in self.profile.local_scores:
            raw = self._raw[i]
            if raw is not None and score.relative:
                # Raw numbers that are all 0 are the same for all nodes after normalisation, too: compute one of them.
                several = slice(None) if raw.any() else slice(0, 1)
                total = total + weight * score.normalize(raw[several], self.feasible[several])
        for weighted in self.profile.cluster_scores:
            raw = weighted.score.raw(self.snapshot, self.template, self.snapshot.nodes.rows, self.feasible)
            if raw is not None:
                total = total + weighted.weight * weighted.score.normalize(raw, self.feasible)
        return total

    def score_table(self) -> dict[str, Ints]:
        """Per plugin, the normalised and weighted score of each row: for explanations."""
        table = {}
        for weighted in self.profile.scores:
            raw = weighted.score.raw(self.snapshot, self.template, self.snapshot.nodes.rows, self.feasible)
            if raw is not None:
                table[weighted.name] = weighted.weight * weighted.score.normalize(raw, self.feasible)
        return table

    def refusal(self, row: int) -> Refusal | None:
        """What refuses a node: a PreFilter plugin, or the first filter in order."""
        if self._rejection is not None:
            name, rejected = self._rejection
            return Refusal(name, [rejected.reason])
        if self._narrowed is not None and not self._narrowed[1][row]:
            return Refusal(self._narrowed[0][0], [_outside(self._narrowed[0])])
        for named, codes in zip(self.profile.filters, self._codes, strict=True):
            if codes is not None and codes[row]:
                return Refusal(named.name, named.filter.reasons(self.snapshot, self.template, int(codes[row])))
        return None

    def failure(self) -> FitFailure:
        """Why no node is feasible: each node counts for the first plugin that refuses it."""
        nodes = self.snapshot.nodes
        if self._rejection is not None:
            name, rejected = self._rejection
            resolvable_rows = np.flatnonzero(nodes.valid[nodes.rows]).tolist() if rejected.resolvable else []
            return FitFailure(len(nodes), Counter(), (name,), tuple(resolvable_rows), rejected.reason)
        left = nodes.valid[nodes.rows].copy()
        reasons: Counter[str] = Counter()
        plugins: list[str] = []
        if self._narrowed is not None:
            names, inside = self._narrowed
            outside = int(np.count_nonzero(left & ~inside))
            if outside:
                reasons[_outside(names)] += outside
                plugins.extend(names)
                left &= inside
        left[list(self._reserved)] = False
        resolvable_rows = self._count_refused(left, reasons, plugins)
        for refusal in self._reserved.values():
            plugins.append(refusal.plugin)
            reasons.update(refusal.reasons)
        return FitFailure(len(nodes), reasons, tuple(dict.fromkeys(plugins)), tuple(sorted(resolvable_rows)))

    def _count_refused(self, left: Mask, reasons: Counter[str], plugins: list[str]) -> list[int]:
        """Add up what the filters refuse of the rows `left`; returns the rows where removing pods could help."""
        snapshot, template = self.snapshot, self.template
        resolvable_rows: list[int] = []
        for named, codes in zip(self.profile.filters, self._codes, strict=True):
            if codes is None:
                continue
            refused = left & (codes != 0)
            if not refused.any():
                continue
            plugins.append(named.name)
            left &= ~refused
            for code, count in zip(*np.unique(codes[refused], return_counts=True), strict=True):
                for reason in named.filter.reasons(snapshot, template, int(code)):
                    reasons[reason] += int(count)
                if named.filter.resolvable(template, int(code)):
                    resolvable_rows.extend(np.flatnonzero(refused & (codes == code)).tolist())
        return resolvable_rows


def refusal_now(snapshot: Snapshot, filters: Iterable[NamedFilter], template: Template, row: int) -> Refusal | None:
    """What the filters answer about one node at this moment, without any cache."""
    rows = np.array([row], np.intp)
    for named in filters:
        codes = named.filter.codes(snapshot, template, rows)
        if codes is not None and codes[0]:
            return Refusal(named.name, named.filter.reasons(snapshot, template, int(codes[0])))
    return None


def _outside(names: list[str]) -> str:
    return f"node(s) didn't satisfy plugin(s) [{' '.join(sorted(names))}]"


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

    def __init__(self, snapshot: Snapshot, profile: Profile, *, remembered: int = 32) -> None:
        self._snapshot = snapshot
        self.profile = profile
        self._remembered = remembered
        self._known: dict[Template, Evaluation] = {}

    def of(self, template: Template) -> Evaluation:
        """The evaluation of a template, refreshed."""
        found = self._known.pop(template, None)
        if found is None:
            found = Evaluation(self._snapshot, self.profile, template)
            while len(self._known) >= self._remembered:
                del self._known[next(iter(self._known))]
        self._known[template] = found
        found.refresh()
        return found
