"""NodeResourcesBalancedAllocation: the resources of a node should be used up at the same pace."""

import numpy as np

from pybernetes.api.field import Errors, Path
from pybernetes.scheduler.args import CPU_AND_MEMORY, Args, ResourceSpec
from pybernetes.scheduler.columns import lines
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Scope, Score
from pybernetes.scheduler.resources import is_scalar
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Floats, Ints, Mask, Rows


class NodeResourcesBalancedAllocationArgs(Args, frozen=True, kw_only=True):
    """Arguments of NodeResourcesBalancedAllocation."""

    resources: tuple[ResourceSpec, ...] = CPU_AND_MEMORY
    """The resources to balance; weights must be 1."""

    def validate(self, path: Path, errors: Errors) -> None:
        seen: set[str] = set()
        for index, resource in enumerate(self.resources):
            place = path / "resources" @ index
            if resource.name in seen:
                errors.duplicate(place / "name", resource.name)
            seen.add(resource.name)
            if resource.weight not in (0, 1):
                errors.invalid(place / "weight", resource.weight, "must be 1")


def node_resources_balanced_allocation(args: NodeResourcesBalancedAllocationArgs, objects: Objects) -> Plugin:
    """Only ranks nodes."""
    resources = args.resources or CPU_AND_MEMORY
    return Plugin(score=_Score(tuple(resource.name for resource in resources)), implied=frozenset({"preScore"}))


class _Score(Score):
    """100 less the standard deviation of the used shares, in percent."""

    scope = Scope.USAGE
    relative = False

    def __init__(self, resources: tuple[str, ...]) -> None:
        self._resources = resources
        self._only_plain = not any(is_scalar(name) for name in resources)

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """0 to 100; None for pods that request none of the resources."""
        requests = template.requests
        if requests.keys().isdisjoint(self._resources):
            return None
        counted = self._resources if self._only_plain else self._counted(template)
        indexes = [snapshot.resource(name) for name in counted]
        allocatable = lines(snapshot.nodes.allocatable, indexes, rows)
        wanted = np.array([requests.get(name, 0) for name in counted], np.int64)[:, None]
        used = lines(snapshot.requested, indexes, rows) + wanted
        present = allocatable > 0
        shares = np.minimum(used / np.where(present, allocatable, 1), 1.0)
        score: Ints = ((1 - _deviation(shares, present)) * MAX_SCORE).astype(np.int64)
        return score

    def _counted(self, template: Template) -> tuple[str, ...]:
        return tuple(name for name in self._resources if name in template.requests or not is_scalar(name))


def _deviation(shares: Floats, present: Mask) -> Floats:
    """The standard deviation of each column over the rows that are present."""
    if len(shares) == 2:
        # With two resources it is half the distance; with one it is 0.
        return np.where(present.all(axis=0), np.abs(shares[0] - shares[1]) / 2, 0.0)
    count = np.maximum(present.sum(axis=0), 1)
    mean = np.where(present, shares, 0.0).sum(axis=0) / count
    deviation: Floats = np.sqrt((np.where(present, shares - mean, 0.0) ** 2).sum(axis=0) / count)
    return deviation
