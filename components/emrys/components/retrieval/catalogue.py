"""Catalogue: the candidate items of a retrieval model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import FIRST_KNOWN

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Catalogue:
    """The candidate items, in the order of their ids: items with an id of their own and a positive row in train.

    The model is trained on positive rows only. The score of an item without one would be arbitrary.

    Other arrays refer to an item by its position in the catalogue, 0 to N - 1.

    Attributes:
        keys: (N,) raw ids.
        features: Transformed columns of each item, with its id.
        rows: (N,) a row of the train split with the item.
    """

    keys: Ints
    features: pa.Table
    rows: Ints

    @classmethod
    def of(cls, train: Path, item: str, label: str, columns: Sequence[str], keys: Ints | None = None) -> Catalogue:
        """Reads the items of the transformed train split.

        Args:
            train: Parquet file of the split.
            item: Column of the item id.
            label: Column of the label.
            columns: Columns of the item.
            keys: Raw item id of each row. Default: the transformed ids.

        Raises:
            DataError: if there is no item.
        """
        rows = pq.read_table(train, columns=[item, label], partitioning=None)
        ids, positive = rows[item].to_numpy(), rows[label].to_numpy() > 0
        known, first = np.unique(ids, return_index=True)
        first = first[(known >= FIRST_KNOWN) & np.isin(known, ids[positive])].astype(np.int64)
        if not len(first):
            raise DataError(
                "there is no item to recommend", path=train, column=item, expected="an item with a positive label"
            )
        table = pq.read_table(train, columns=list(dict.fromkeys([item, *columns])), partitioning=None)
        return cls((ids if keys is None else keys)[first], table.take(pa.array(first)), first)

    def __len__(self) -> int:
        """Number of items, N."""
        return len(self.keys)

    def positions(self, keys: npt.ArrayLike) -> Ints:
        """Positions of items by their keys, -1 for unknown items; same shape as `keys`."""
        return positions(np.asarray(keys), self.keys)


def positions(keys: Ints, among: Ints) -> Ints:
    """Position of each key in an array of distinct keys, -1 for unknown keys."""
    return np.asarray(pd.Index(among).get_indexer(pd.Index(keys)), np.int64)
