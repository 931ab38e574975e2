"""RaggedArray of numbers, one for each query, as two arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RaggedArray:
    """RaggedArray one after the other.

    Attributes:
        values: All elements, (M,).
        offsets: Where each list begins, and the end, (Q + 1,).
    """

    values: Ints
    offsets: Ints

    @classmethod
    def of(cls, rows: Ints, values: Ints, count: int) -> Self:
        """Gathers values by the list that each belongs to.

        Args:
            rows: The list of each value, 0 to `count` - 1, (M,).
            values: The values, (M,); those of one list keep their order.
            count: Number of lists, Q.
        """
        order = np.argsort(rows, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
        return cls(values[order].astype(np.int64), offsets.astype(np.int64))

    def __len__(self) -> int:
        """Number of lists."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """Length of each list, (Q,)."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Ints:
        """The list of each value, (M,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def slice(self, start: int, stop: int) -> Self:
        """The lists from `start` to before `stop`."""
        offsets = self.offsets[start : stop + 1]
        return type(self)(self.values[offsets[0] : offsets[-1]], offsets - offsets[0])
