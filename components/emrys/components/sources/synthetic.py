"""Synthetic logs of ratings, with the true probability of each row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from emrys.blocks.datasets import LOG_SCHEMA, movielens_like
from emrys.components.sources.source import Source

#: Name of the data set.
SYNTHETIC = "synthetic"


class SyntheticSource(Source):
    """A sample of `emrys.blocks.datasets.movielens_like`.

    Args:
        rows: Number of rows.
        seed: Seed.
    """

    def __init__(self, rows: int, seed: int) -> None:
        self.path = SYNTHETIC
        self._log = movielens_like(rows, seed=seed)

    @property
    def schema(self) -> pa.Schema:
        """Columns of the log."""
        return LOG_SCHEMA

    def head(self, rows: int) -> pa.Table:
        """The first rows."""
        return self._log.table.slice(0, rows)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows."""
        return self._log.table if columns is None else self._log.table.select(list(columns))

    @property
    def probability(self) -> npt.NDArray[np.float64] | None:
        """True probability of the target in each row."""
        return self._log.probability
