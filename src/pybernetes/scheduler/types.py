"""The vocabulary of this package: arrays over nodes, and the contracts of its collaborators.

Every array has one element per *row*; a row is a node's index in the snapshot, and stays the
same while the node exists.
"""

import random
from datetime import datetime
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from pybernetes.api.meta import Object

Rows = slice | npt.NDArray[np.intp]
"""The rows that a plugin is asked about: all of them (a slice), or those that have changed."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
"""One boolean per row."""

MAX_SCORE = 100
"""The highest score of a plugin after normalisation."""

EventType = Literal["Normal", "Warning"]


class Clock(Protocol):
    """Wall-clock time for conditions, and monotonic time for back-off and slices."""

    def now(self) -> datetime:
        """The current time in UTC."""

    def monotonic(self) -> float:
        """Seconds of a monotonic clock."""


class Recorder(Protocol):
    """Records Kubernetes events."""

    def event(self, obj: Object, type: EventType, reason: str, message: str, /) -> None:
        """Record an event about `obj`; never blocks and never fails."""


Rng = random.Random
"""Chooses among nodes with equal scores."""
