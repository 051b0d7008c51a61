"""Scaling scores to 0..100."""

import numpy as np

from pybernetes.scheduler.types import MAX_SCORE, Ints, Mask


def by_maximum(raw: Ints, feasible: Mask, *, reverse: bool = False) -> Ints:
    """Scale so that the highest feasible number becomes 100; with `reverse`, low numbers get high scores."""
    highest = int(np.max(raw, where=feasible, initial=0))
    if highest == 0:
        return np.full(len(raw), MAX_SCORE, np.int64) if reverse else raw
    scaled: Ints = MAX_SCORE * raw // highest
    return MAX_SCORE - scaled if reverse else scaled
