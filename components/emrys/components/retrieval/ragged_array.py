"""Lists of integers of different lengths, stored as two arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RaggedArray:
    """Q lists of integers, stored as their concatenated values and offsets.

    Attributes:
        values: (M,) all elements.
        offsets: (Q + 1,) start of each list, and the end.
    """

    values: Ints
    offsets: Ints

    @classmethod
    def of(cls, rows: Ints, values: Ints, count: int) -> Self:
        """Groups values by list.

        Args:
            rows: (M,) list of each value, 0 to `count` - 1.
            values: (M,) values; those of one list keep their order.
            count: Number of lists, Q.
        """
        order = np.argsort(rows, kind="stable")
        offsets = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=count))])
        return cls(values[order].astype(np.int64), offsets.astype(np.int64))

    def __len__(self) -> int:
        """Number of lists, Q."""
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Ints:
        """(Q,) length of each list."""
        return np.diff(self.offsets)

    @property
    def rows(self) -> Ints:
        """(M,) list of each value."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def slice(self, start: int, stop: int) -> Self:
        """The lists from `start` up to, but not including, `stop`."""
        offsets = self.offsets[start : stop + 1]
        return type(self)(self.values[offsets[0] : offsets[-1]], offsets - offsets[0])
