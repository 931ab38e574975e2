"""Catalogue: the candidate items of a retrieval model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from emrys.blocks.errors import DataError
from emrys.blocks.workflow import FIRST_KNOWN

Ints = npt.NDArray[np.int64]
#: Raw ids: integers or, as objects, strings.
Keys = npt.NDArray[Any]


@dataclass(frozen=True)
class Catalogue:
    """The candidate items, in the order of their ids: items with an id of their own.

    Without a table of items, they are those with a positive row in train: the model is trained on positive rows only,
    and the score of an item without one would be arbitrary. A table of items is the catalogue as it stands; its items
    without events are scored by their features.

    Other arrays refer to an item by its position in the catalogue, 0 to N - 1.

    Attributes:
        keys: (N,) raw ids.
        features: Transformed columns of each item, with its id.
        rows: (N,) a row of the train split, or of the table of items, with the item.
    """

    keys: Keys
    features: pa.Table
    rows: Ints

    @classmethod
    def of(
        cls, train: Path, item: str, label: str | None, columns: Sequence[str], keys: Keys | None = None
    ) -> Catalogue:
        """Reads the items of the transformed train split.

        Args:
            train: Parquet file of the split.
            item: Column of the item id.
            label: Column of the label; None if every row is positive.
            columns: Columns of the item.
            keys: Raw item id of each row. Default: the transformed ids.

        Raises:
            DataError: if there is no item.
        """
        rows = pq.read_table(train, columns=[item, *([] if label is None else [label])], partitioning=None)
        ids = rows[item].to_numpy()
        positive = np.ones(len(ids), bool) if label is None else rows[label].to_numpy() > 0
        known, first = np.unique(ids, return_index=True)
        first = first[(known >= FIRST_KNOWN) & np.isin(known, ids[positive])].astype(np.int64)
        if not len(first):
            raise DataError(
                "there is no item to recommend",
                path=train,
                column=item,
                expected="an item with a positive label",
                fix="Use more data, lower `min_count` of the item id in `features`, or change which rows are positive "
                "in `columns`.",
            )
        table = pq.read_table(train, columns=list(dict.fromkeys([item, *columns])), partitioning=None)
        return cls((ids if keys is None else keys)[first], table.take(pa.array(first)), first)

    @classmethod
    def of_table(cls, items: Path, item: str, columns: Sequence[str], keys: Keys) -> Catalogue:
        """Reads the transformed table of items.

        Args:
            items: Parquet file of the table.
            item: Column of the item id.
            columns: Columns of the item.
            keys: Raw item id of each row.

        Raises:
            DataError: if no item has an id of its own.
        """
        table = pq.read_table(items, columns=list(dict.fromkeys([item, *columns])), partitioning=None)
        known, first = np.unique(table[item].to_numpy(), return_index=True)
        first = first[known >= FIRST_KNOWN].astype(np.int64)
        if not len(first):
            raise DataError(
                "there is no item to recommend",
                path=items,
                column=item,
                expected="an item with an id of its own",
                fix="Lower `min_count` of the item id in `features`.",
            )
        return cls(keys[first], table.take(pa.array(first)), first)

    def __len__(self) -> int:
        """Number of items, N."""
        return len(self.keys)

    def positions(self, keys: npt.ArrayLike) -> Ints:
        """Positions of items by their keys, -1 for unknown items; same shape as `keys`."""
        return positions(np.asarray(keys), self.keys)


def positions(keys: Keys, among: Keys) -> Ints:
    """Position of each key in an array of distinct keys, -1 for unknown keys."""
    return np.asarray(pd.Index(among).get_indexer(pd.Index(keys)), np.int64)
