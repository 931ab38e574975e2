"""The items that a retrieval model can recommend."""

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


@dataclass(frozen=True)
class Catalogue:
    """Every item that has an id of its own and that somebody likes in the train split, in the order of the ids.

    A model learns from what is liked alone: it would score an item that nobody likes by chance, and high for many.

    What is said of an item elsewhere is said of its place here, 0 to N - 1.

    Attributes:
        keys: What callers name the items by, (N,).
        features: A row for each: the transformed columns of the item, its id among them.
        rows: A row of the train split for each, (N,).
    """

    keys: Ints
    features: pa.Table
    rows: Ints

    @classmethod
    def of(cls, train: Path, item: str, label: str, columns: Sequence[str], keys: Ints | None = None) -> Catalogue:
        """Reads the items of the transformed train split.

        Args:
            train: Its Parquet file.
            item: Column of the item's id.
            label: Column that says what is liked.
            columns: Columns of the item.
            keys: What callers name the item of each row by. Default: the ids.

        Raises:
            DataError: if there is no item.
        """
        rows = pq.read_table(train, columns=[item, label], partitioning=None)
        ids, liked = rows[item].to_numpy(), rows[label].to_numpy() > 0
        known, first = np.unique(ids, return_index=True)
        first = first[(known >= FIRST_KNOWN) & np.isin(known, ids[liked])].astype(np.int64)
        if not len(first):
            raise DataError(
                "there is no item to recommend", path=train, column=item, expected="one that somebody likes"
            )
        table = pq.read_table(train, columns=list(dict.fromkeys([item, *columns])), partitioning=None)
        return cls((ids if keys is None else keys)[first], table.take(pa.array(first)), first)

    def __len__(self) -> int:
        """Number of items, N."""
        return len(self.keys)

    def places(self, keys: npt.ArrayLike) -> Ints:
        """The places of items by their keys, -1 for those that are not there; of the shape of `keys`."""
        return positions(np.asarray(keys), self.keys)


def positions(keys: Ints, among: Ints) -> Ints:
    """Where each key stands among others that are each there once; -1 for those that are not there."""
    find: Any = pd.Index(among).get_indexer
    return np.asarray(find(pd.Index(keys)), np.int64)
