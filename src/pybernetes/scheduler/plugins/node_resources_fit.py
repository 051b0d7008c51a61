"""NodeResourcesFit: the node must have what the pod requests, and a strategy ranks nodes by what is allocated."""

from collections.abc import Sequence

import numpy as np

from pybernetes.api import names, rules
from pybernetes.api.core.node import Node
from pybernetes.api.core.pod import Pod
from pybernetes.api.field import Errors, Path
from pybernetes.scheduler.allocation import ScoringStrategy, allocation_score
from pybernetes.scheduler.args import Args
from pybernetes.scheduler.events import Action, Interest
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Filter, Scope
from pybernetes.scheduler.resources import is_extended
from pybernetes.scheduler.snapshot import Placed, Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import Ints, Rows

TOO_MANY_PODS = "Too many pods"
_TOO_MANY_PODS = 1
_NEVER = 1 << 62
"""Set where the node would be too small even when empty."""
_FIRST = ("cpu", "memory", "ephemeral-storage")


class NodeResourcesFitArgs(Args, frozen=True, kw_only=True):
    """Arguments of NodeResourcesFit."""

    ignored_resources: tuple[str, ...] = ()
    """Extended resources that the filter ignores, by name."""
    ignored_resource_groups: tuple[str, ...] = ()
    """The same by prefix: `example.com` ignores `example.com/aaa`."""
    scoring_strategy: ScoringStrategy = ScoringStrategy()

    def validate(self, path: Path, errors: Errors) -> None:
        for index, name in enumerate(self.ignored_resources):
            rules.follows(name, names.qualified_name, path / "ignoredResources" @ index, errors)
        for index, group in enumerate(self.ignored_resource_groups):
            place = path / "ignoredResourceGroups" @ index
            if "/" in group:
                errors.invalid(place, group, "resource group name can't contain '/'")
            rules.follows(group, names.qualified_name, place, errors)
        self.scoring_strategy.validate(path / "scoringStrategy", errors)


def node_resources_fit(args: NodeResourcesFitArgs, objects: Objects) -> Plugin:
    """Pods that end help, and nodes that get more."""
    return Plugin(
        filter=_Filter(args),
        score=allocation_score(args.scoring_strategy),
        interests=(
            Interest(Node, Action.ADD | Action.UPDATE_NODE_ALLOCATABLE),
            Interest(Pod, Action.DELETE),
        ),
        implied=frozenset({"preFilter", "preScore"}),
    )


class _Filter(Filter):
    """A code is a set of bits: bit 0 for the number of pods, bit i+1 for the i-th requested resource."""

    scope = Scope.USAGE

    def __init__(self, args: NodeResourcesFitArgs) -> None:
        self._ignored = frozenset(args.ignored_resources)
        self._ignored_groups = frozenset(args.ignored_resource_groups)

    def codes(self, snapshot: Snapshot, template: Template, rows: Rows) -> Ints | None:
        """Not 0 where something is insufficient."""
        indexes = [(snapshot.resource(name), template.requests[name]) for name in self._ordered(template)]
        count, allowed = snapshot.pod_count[rows], snapshot.nodes.pods_allowed[rows]
        codes: Ints = (count >= allowed).astype(np.int64)
        never: Ints | None = None
        for bit, (index, wanted) in enumerate(indexes, start=1):
            allocatable = snapshot.nodes.allocatable[index, rows]
            short = allocatable - snapshot.requested[index, rows] < wanted
            if short.any():
                codes |= short.astype(np.int64) << bit
                too_small = (allocatable < wanted).astype(np.int64)
                never = too_small if never is None else never | too_small
        return codes if never is None else codes | (never * _NEVER)

    def reasons(self, snapshot: Snapshot, template: Template, code: int) -> list[str]:
        """One text per resource that is insufficient."""
        found = [TOO_MANY_PODS] if code & _TOO_MANY_PODS else []
        requested = enumerate(self._ordered(template), start=1)
        return found + [f"Insufficient {name}" for bit, name in requested if code >> bit & 1]

    def resolvable(self, template: Template, code: int) -> bool:
        """Unless the node is too small even when empty."""
        return not code & _NEVER

    def after_removal(
        self, snapshot: Snapshot, template: Template, row: int, leaving: Sequence[Placed]
    ) -> list[str] | None:
        room = int(snapshot.nodes.pods_allowed[row] - snapshot.pod_count[row]) + len(leaving)
        reasons = [TOO_MANY_PODS] if room <= 0 else []
        for name in self._ordered(template):
            index = snapshot.resource(name)
            free = int(snapshot.nodes.allocatable[index, row] - snapshot.requested[index, row])
            if free + sum(p.template.requests.get(name, 0) for p in leaving) < template.requests[name]:
                reasons.append(f"Insufficient {name}")
        return reasons

    def _ordered(self, template: Template) -> list[str]:
        """The requested resources, in the order in which they are reported."""
        requests = template.requests
        more = [name for name in requests if name not in _FIRST]
        if self._ignored or self._ignored_groups:
            more = [name for name in more if not self._is_ignored(name)]
        return [name for name in _FIRST if name in requests] + more

    def _is_ignored(self, name: str) -> bool:
        return is_extended(name) and (name in self._ignored or name.split("/", 1)[0] in self._ignored_groups)
