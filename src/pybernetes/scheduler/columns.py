"""Growing arrays, and label values as integers: the parts of the node table."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pybernetes.scheduler.types import Ints, Mask, Rows


def grown(array: npt.NDArray[Any], capacity: int) -> npt.NDArray[Any]:
    """A copy with space for `capacity` rows (the last axis), filled up with zeros."""
    result = np.zeros((*array.shape[:-1], capacity), array.dtype)
    result[..., : array.shape[-1]] = array
    return result


def lines(array: Ints, indexes: list[int], rows: Rows) -> Ints:
    """The elements of `rows` in some lines of a two-dimensional array, without copying the other rows."""
    if indexes == [0, 1]:
        return array[:2, rows]
    return np.stack([array[index, rows] for index in indexes])


class Column:
    """The values of one label as small integers. Invariant: code 0 means that the node does not have the label."""

    def __init__(self, capacity: int) -> None:
        self.codes = np.zeros(capacity, np.int32)
        self.values: list[str | None] = [None]
        self._code_of: dict[str, int] = {}

    def code(self, value: str) -> int:
        """The code of a value, 0 if no node has had it so far."""
        return self._code_of.get(value, 0)

    def set(self, row: int, value: str | None) -> None:
        """Set the value of a node."""
        if value is None:
            self.codes[row] = 0
            return
        code = self._code_of.get(value)
        if code is None:
            code = self._code_of[value] = len(self.values)
            self.values.append(value)
        self.codes[row] = code

    def lookup(self, table: Mask, rows: Rows) -> Mask:
        """For each row, the element of `table` for the row's code."""
        result: Mask = table[self.codes[rows]]
        return result
