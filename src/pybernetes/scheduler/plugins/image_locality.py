"""ImageLocality: nodes that already have the pod's images score higher, large images above all."""

import numpy as np

from pybernetes.scheduler.args import Args
from pybernetes.scheduler.objects import Objects
from pybernetes.scheduler.plugin import Plugin
from pybernetes.scheduler.points import Scope, Score
from pybernetes.scheduler.snapshot import Snapshot
from pybernetes.scheduler.template import Template
from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask, Rows

_MIN = 23 * 1024 * 1024
_MAX_PER_CONTAINER = 1000 * 1024 * 1024


def image_locality(args: Args, objects: Objects) -> Plugin:
    """Only ranks nodes."""
    return Plugin(score=_ImageLocality())


class _ImageLocality(Score):
    """A size counts in proportion to how many nodes have the image, so that not all pods go to one node."""

    scope = Scope.NODE
    relative = False

    def raw(self, snapshot: Snapshot, template: Template, rows: Rows, feasible: Mask) -> Ints | None:
        """0 for up to 23 MB, 100 for 1,000 MB per container."""
        nodes = snapshot.nodes
        held = [found for name in template.images if (found := nodes.images.get(name))]
        if not held:
            return None
        total: Ints = np.zeros(nodes.size, np.int64)
        for by_row in held:
            share = len(by_row) / len(nodes)
            for row, size in by_row.items():
                total[row] += int(size * share)
        highest = _MAX_PER_CONTAINER * len(template.images)
        clipped = np.clip(total[rows], _MIN, highest)
        score: Ints = MAX_SCORE * (clipped - _MIN) // (highest - _MIN)
        return score
