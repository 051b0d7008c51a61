"""The differences of a run, counted per kind and sorted by likely cause. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from .answers import Answer, Difference, causes
from .corpus import Case, KindCases, dotted

COLUMNS: tuple[str, ...] = ("all", "same", "text", "causes", "object", "code", "warnings")


@dataclass(frozen=True, slots=True)
class Finding:
    """A case that two servers answer differently."""

    of: KindCases
    case: Case
    theirs: Answer
    ours: Answer
    difference: Difference

    @property
    def place(self) -> str:
        """The first place that the case changes."""
        return dotted(self.case.changes[0].at)

    @property
    def how(self) -> str:
        """The sort of value put there."""
        return "+".join(change.how for change in self.case.changes)

    @property
    def cause(self) -> str:
        """What this difference probably comes from: the same for differences that one change would fix."""
        match self.difference:
            case "code":
                refusal = self.theirs if self.theirs.code >= 400 else self.ours
                text = blur(refusal.body.get("message", ""))[:110]
                return f"code {self.theirs.code}->{self.ours.code} {self.how}: {text}"
            case "causes":
                theirs, ours = ({(blur(f), r) for f, r in causes(a.body)} for a in (self.theirs, self.ours))
                reasons = f"{self.theirs.body.get('reason')}->{self.ours.body.get('reason')}"
                return f"causes {reasons} missing {sorted(theirs - ours)[:2]} extra {sorted(ours - theirs)[:2]}"
            case "text":
                return "text " + re.sub(r'"[^"]*"', '"…"', blur(self.theirs.body.get("message", "")))[-120:]
            case "object":
                return "object " + " ".join(changed_fields(self.theirs.body, self.ours.body)[:3])
            case _:
                return f"warnings {list(self.theirs.warnings)[:1]} -> {list(self.ours.warnings)[:1]}"


def blur(text: str) -> str:
    """A field path or message without indexes and without where a pod's template lies."""
    text = re.sub(r"\[\d+\]", "[*]", str(text))
    text = re.sub(r"template\.spec\.|jobTemplate\.spec\.|spec\.template\.", "", text)
    return re.sub(r"initContainers|ephemeralContainers", "containers", text)


def changed_fields(theirs: Any, ours: Any) -> list[str]:
    """The blurred paths of fields that differ, but for those that a server makes up itself."""
    one, other = dict(_flat(theirs)), dict(_flat(ours))
    found = {key for key in one.keys() | other.keys() if one.get(key, _ABSENT) != other.get(key, _ABSENT)}
    return sorted(
        {blur(key) for key in found if not re.search(r"\.(uid|resourceVersion|creationTimestamp|time)$", key)}
    )


_ABSENT = object()
_MADE_UP = re.compile(r"\.(uid|resourceVersion|creationTimestamp|time)$")


def _flat(value: Any, at: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, child in value.items():
            yield from _flat(child, f"{at}.{key}")
    elif isinstance(value, list) and value:
        for index, child in enumerate(value):
            yield from _flat(child, f"{at}[{index}]")
    else:
        yield at, repr(value)


def count(cases: int, findings: Iterable[Finding]) -> Counter[str]:
    """How many of the cases fall in each of COLUMNS."""
    row = Counter({"all": cases})
    for finding in findings:
        row[finding.difference] += 1
    row["same"] = cases - sum(row[column] for column in COLUMNS[2:])
    return row


def table(rows: dict[str, Counter[str]]) -> Iterator[str]:
    """Lines of a table with a row per kind and their sum."""
    yield f"{'kind':64}" + "".join(f"{column:>9}" for column in COLUMNS)
    total = sum(rows.values(), Counter())
    for name, row in [*sorted(rows.items()), ("together", total)]:
        yield f"{name:64}" + "".join(f"{row[column]:>9}" for column in COLUMNS)


def by_cause(findings: Iterable[Finding]) -> Iterator[str]:
    """A line per cause, the most frequent first, each with an example."""
    counts: Counter[str] = Counter()
    example: dict[str, Finding] = {}
    for finding in findings:
        counts[finding.cause] += 1
        example.setdefault(finding.cause, finding)
    for cause, number in counts.most_common():
        one = example[cause]
        yield f"{number:6} {cause[:260]} | {one.of.kind} {one.case.mode} {one.place} ({one.how})"
