"""The words of this package: arrays over nodes, and the small contracts of its collaborators.

Every array has one element per *row*; a row is a node's place in the snapshot and stays the same while it exists.
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
"""True where a node is meant."""

MAX_SCORE = 100
"""What a plugin gives the best node, after normalisation."""

EventType = Literal["Normal", "Warning"]


class Clock(Protocol):
    """Time of day for conditions, and a steady time for back-off and slices."""

    def now(self) -> datetime:
        """The present, in UTC."""

    def monotonic(self) -> float:
        """Seconds that never jump."""


class Recorder(Protocol):
    """Tells users what was done to their objects."""

    def event(self, obj: Object, type: EventType, reason: str, message: str, /) -> None:
        """Record an event about `obj`; never blocks and never fails."""


Rng = random.Random
"""Breaks ties between equally good nodes."""
