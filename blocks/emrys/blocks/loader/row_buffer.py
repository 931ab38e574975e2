"""The rows that are in memory at a time, mixed."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class RowBuffer:
    """Rows that are given out in random order, or in the order in which they came.

    Args:
        pieces: The rows, at least one piece. The list is emptied.
        rng: Where chance comes from; None keeps the order.
    """

    def __init__(self, pieces: list[pa.RecordBatch], rng: np.random.Generator | None) -> None:
        self._schema: pa.Schema = pieces[0].schema
        self.left = sum(piece.num_rows for piece in pieces)
        self._given = 0
        self._order = None if rng is None else pa.array(rng.permutation(self.left))
        # Column by column, letting go of what has been copied, so that the rows are not in memory twice.
        stores = [piece.columns for piece in pieces]
        pieces.clear()
        self._columns: list[pa.Array] = []
        for _ in self._schema.names:
            self._columns.append(pa.concat_arrays([store.pop(0) for store in stores]))

    def take(self, count: int) -> pa.RecordBatch:
        """The next `count` rows; that many must be left. A copy when mixed, a view otherwise."""
        if self._order is None:
            taken = [column.slice(self._given, count) for column in self._columns]
        else:
            # Arrow gathers about twice as fast as NumPy, and gives memory that TensorFlow takes over as it is.
            places = self._order.slice(self._given, count)
            taken = [pc.take(column, places, boundscheck=False) for column in self._columns]
        self._given += count
        self.left -= count
        return pa.RecordBatch.from_arrays(taken, schema=self._schema)
