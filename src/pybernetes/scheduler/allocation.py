"""Scores by allocated resources: the strategies LeastAllocated, MostAllocated and RequestedToCapacityRatio."""

from collections.abc import Callable
from itertools import pairwise

import msgspec
import numpy as np

from pybernetes.api.field import Errors, Path
from pybernetes.scheduler.args import CPU_AND_MEMORY, ResourceSpec
from pybernetes.scheduler.columns import lines
from pybernetes.scheduler.points import Scope, Score
from pybernetes.scheduler.resources import CPU, MEMORY, is_scalar
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows

LEAST, MOST, RATIO = "LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"
STRATEGIES = [LEAST, MOST, RATIO]
_MAX_SHAPE_SCORE = 10


class ShapePoint(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A point of the function from utilization (percent) to score (0 to 10)."""

    utilization: int = 0
    score: int = 0


class RatioParameters(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """Parameters of RequestedToCapacityRatio."""

    shape: tuple[ShapePoint, ...] = ()


class ScoringStrategy(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How nodes are ranked by what is allocated on them."""

    type: str = LEAST
    resources: tuple[ResourceSpec, ...] = CPU_AND_MEMORY
    requested_to_capacity_ratio: RatioParameters | None = None

    def validate(self, path: Path, errors: Errors) -> None:
        """Add what is wrong to `errors`."""
        if self.type not in STRATEGIES:
            errors.not_supported(path / "type", self.type, STRATEGIES)
        for index, resource in enumerate(self.resources):
            if not 0 <= resource.weight <= 100:
                text = f"resource weight of {resource.name} not in valid range (0, 100]"
                errors.invalid(path / "resources" @ index / "weight", resource.weight, text)
        ratio, place = self.requested_to_capacity_ratio, path / "requestedToCapacityRatio"
        if self.type != RATIO:
            if ratio is not None:
                errors.forbidden(place, "must be nil when type is not RequestedToCapacityRatio")
        elif ratio is None:
            errors.required(place, "must be specified when type is RequestedToCapacityRatio")
        else:
            _validate_shape(ratio.shape, place / "shape", errors)


def _validate_shape(shape: tuple[ShapePoint, ...], path: Path, errors: Errors) -> None:
    if not shape:
        errors.required(path, "at least one point must be specified")
        return
    for index, (before, point) in enumerate(pairwise(shape), start=1):
        if before.utilization >= point.utilization:
            place = path @ index / "utilization"
            errors.invalid(place, point.utilization, "values must be sorted in increasing order")
            break
    for index, point in enumerate(shape):
        if not 0 <= point.utilization <= 100:
            errors.invalid(path @ index / "utilization", point.utilization, "not in valid range [0, 100]")
        if not 0 <= point.score <= _MAX_SHAPE_SCORE:
            errors.invalid(path @ index / "score", point.score, f"not in valid range [0, {_MAX_SHAPE_SCORE}]")


def allocation_score(strategy: ScoringStrategy) -> Score:
    """The score of a strategy."""
    resources = strategy.resources or CPU_AND_MEMORY
    weights = {resource.name: resource.weight or 1 for resource in resources}
    if strategy.requested_to_capacity_ratio is not None:
        return _Allocation(weights, _ratio(strategy.requested_to_capacity_ratio.shape), skip_zeros=True)
    return _Allocation(weights, _most if strategy.type == MOST else _least)


Share = Callable[[Ints, Ints, Ints], Ints]
"""(used, allocatable, divisor) -> 0..100, elementwise, 0 where allocatable is 0; the divisor is allocatable or 1."""


def _least(used: Ints, allocatable: Ints, divisor: Ints) -> Ints:
    free: Ints = np.maximum(allocatable - used, 0) * MAX_SCORE // divisor
    return free


def _most(used: Ints, allocatable: Ints, divisor: Ints) -> Ints:
    taken: Ints = np.minimum(used, allocatable) * MAX_SCORE // divisor
    return taken


def _ratio(shape: tuple[ShapePoint, ...]) -> Share:
    table = np.array([_interpolate(shape, utilization) for utilization in range(101)], np.int64)

    def score(used: Ints, allocatable: Ints, divisor: Ints) -> Ints:
        scores = table[np.where(used > allocatable, 100, used * 100 // divisor)]
        return np.where(allocatable > 0, scores, 0)

    return score


def _interpolate(shape: tuple[ShapePoint, ...], utilization: int) -> int:
    """The broken line through the points, in integers that are cut towards zero."""
    scale = MAX_SCORE // _MAX_SHAPE_SCORE
    before = None
    for point in shape:
        if utilization <= point.utilization:
            if before is None:
                return point.score * scale
            rise = (point.score - before.score) * scale * (utilization - before.utilization)
            return before.score * scale + int(rise / (point.utilization - before.utilization))
        before = point
    return shape[-1].score * scale


class _Allocation(Score):
    """The weighted mean of a function of each resource's use. Pods that request nothing count for a little."""

    scope = Scope.USAGE
    relative = False

    def __init__(self, weights: dict[str, int], share: Share, *, skip_zeros: bool = False) -> None:
        self._weights = weights
        self._share = share
        self._skip_zeros = skip_zeros
        """RequestedToCapacityRatio leaves resources that score 0 out of the mean, and rounds it."""
        self._plain = not skip_zeros and list(weights.items()) == [(CPU, 1), (MEMORY, 1)]

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """0 to 100."""
        if self._plain:
            allocatable = snapshot.nodes.allocatable[:2, rows]
            used = snapshot.non_zero[:, rows] + np.array(template.non_zero, np.int64)[:, None]
            present = allocatable > 0
            shares = self._share(used, allocatable, np.where(present, allocatable, 1))
            mean: Ints = shares.sum(axis=0) // np.maximum(present.sum(axis=0), 1)
            return mean
        return self._weighted(*self._selected(snapshot, template, rows))

    def _weighted(self, allocatable: Ints, used: Ints, weights: Ints) -> Ints:
        present = allocatable > 0
        shares = self._share(used, allocatable, np.where(present, allocatable, 1))
        if self._skip_zeros:
            counted = (weights * (shares > 0)).sum(axis=0)
            exact = (weights * shares).sum(axis=0) / np.maximum(counted, 1)
            rounded: Ints = np.floor(exact + 0.5).astype(np.int64)
            return rounded
        total: Ints = (weights * shares).sum(axis=0) // np.maximum((weights * present).sum(axis=0), 1)
        return total

    def _selected(self, snapshot: Snapshot, template: Template, rows: Rows) -> tuple[Ints, Ints, Ints]:
        """Allocatable and used amounts, one line per resource, and the weights.

        Extended resources that the pod does not request are left out.
        """
        names = [name for name in self._weights if name in template.requests or not is_scalar(name)]
        indexes = [snapshot.resource(name) for name in names]
        used = np.array(
            [
                snapshot.non_zero[index, rows] + template.non_zero[index]
                if name in (CPU, MEMORY)
                else snapshot.requested[index, rows] + template.requests.get(name, 0)
                for name, index in zip(names, indexes, strict=True)
            ],
            np.int64,
        )
        weights = np.array([self._weights[name] for name in names], np.int64)[:, None]
        return lines(snapshot.nodes.allocatable, indexes, rows), used, weights
