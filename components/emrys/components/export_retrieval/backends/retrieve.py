"""The model step of a retrieval ensemble: transformed queries to items, as the caller knows them, and scores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.blocks.retrieval.top_k_layer import TopKLayer
from emrys.blocks.workflow import FIRST_KNOWN
from emrys.components.export_ensemble.backends.model import COLUMNS, SAVED_MODEL, ModelStep
from emrys.components.export_ensemble.columns import (
    NULL_INT64,
    NULL_STRING,
    Column,
    Columns,
    check_columns,
    read_columns,
)
from emrys.components.export_ensemble.recommendation import ITEM_IDS, NO_SCORE, SCORES
from emrys.components.export_retrieval.backends.checksums import check_checksums
from emrys.components.export_retrieval.backends.item_index import read_index

#: What a version folder of the model holds besides what `ModelStep` reads.
INDEX, ITEMS, SEEN = "index", "items.parquet", "seen_items.parquet"
#: Input with the raw id of the user whose seen items are left out.
SEEN_BY = "seen_by"

Ints = npt.NDArray[np.int64]


class RetrieveStep:
    """Finds the best items for queries, without those that the user has seen.

    Left out is what is known of the user from training, and what stands in the histories of the request. Where fewer
    than K items remain, the rest of `item_ids` is null (-2**63 for int64, "" for strings), and the rest of `scores` the
    lowest number of float32, which JSON can hold too.

    Args:
        tower: The query encoder.
        index: Top-k layer with the catalogue, by the ids in the transformed data.
        items: `id` in the transformed data and `key`, the id that callers know, int64 or string.
        seen: Ids in the transformed data of what each user has seen, by the raw id of the user.
        histories: List columns of the query that hold items.
    """

    def __init__(
        self, tower: ModelStep, index: TopKLayer, items: pa.Table, seen: SeenItems, histories: Sequence[str]
    ) -> None:
        self._tower, self._index, self._seen, self._histories = tower, index, seen, tuple(histories)
        strings = pa.types.is_string(items["key"].type)
        self._user = user_column(seen)
        self.inputs = (*tower.inputs, self._user)
        self.outputs = output_columns(items)
        ids = items["id"].to_numpy()
        # By the id in the transformed data; the last place is that of -1, which stands for none.
        self._keys = np.full(
            int(ids.max()) + 2, NULL_STRING if strings else NULL_INT64, object if strings else np.int64
        )
        self._keys[ids] = [key.encode() for key in items["key"].to_pylist()] if strings else items["key"].to_numpy()

        @tf.function(
            input_signature=[
                tf.TensorSpec((None, index.candidates.dim), tf.float32),
                tf.TensorSpec((None,), tf.int64),
                tf.TensorSpec((None,), tf.int64),
            ]
        )
        def search(queries: Any, values: Any, offsets: Any) -> Any:
            return index(queries, seen_items=tf.RaggedTensor.from_row_splits(values, offsets))

        self._search = search

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> RetrieveStep:
        """Reads the step from the version folder of a model repository.

        Raises:
            ArtifactError: if a file is missing or damaged.
        """
        root = Path(folder)
        check_checksums(root)
        columns, rest = read_columns(root / COLUMNS)
        return cls(
            ModelStep(root / SAVED_MODEL, columns, rest["output"]),
            read_index(root / INDEX),
            pq.read_table(root / ITEMS, partitioning=None),
            SeenItems.load(root / SEEN),
            rest["histories"],
        )

    def check(self, columns: Columns) -> None:
        """Raises DataError when an input is missing or of another shape or dtype, an id is out of range, or NaN."""
        check_columns(self.inputs, columns)
        self._tower.check(columns)

    def __call__(self, columns: Columns) -> Columns:
        """Recommends to a batch.

        Args:
            columns: Transformed columns of the queries, scalars (B, 1), lists (B, L) padded with 0; and `seen_by`, the
                raw ids of the users, (B, 1).

        Returns:
            `item_ids`, (B, K) int64 or strings, and `scores`, (B, K) float32, best first.
        """
        queries = self._tower.predict(columns).astype(np.float32, copy=False)
        found = self._search(queries, *self._left_out(columns))
        ids = found.identifiers.numpy()
        scores = np.where(ids < 0, np.float32(NO_SCORE), found.scores.numpy())
        return {ITEM_IDS: self._keys[ids], SCORES: scores}

    def _left_out(self, columns: Columns) -> tuple[Ints, Ints]:
        """The items to leave out, one row after the other, and the offsets of the rows."""
        users: npt.NDArray[Any] = columns[SEEN_BY].reshape(-1)
        if self._user.dtype == "string":  # bytes that are no text are an unknown user
            users = np.array([user.decode("utf-8", "replace") for user in users.tolist()], dtype=object)
        stored, offsets = self._seen.lookup(users)
        rows, items = [np.repeat(np.arange(len(users)), np.diff(offsets))], [stored]
        for name in self._histories:
            row, place = np.nonzero(columns[name] >= FIRST_KNOWN)
            rows.append(row)
            items.append(columns[name][row, place])
        pairs = np.unique(np.stack([np.concatenate(rows), np.concatenate(items)]), axis=1)
        return pairs[1], np.searchsorted(pairs[0], np.arange(len(users) + 1))


def user_column(seen: SeenItems) -> Column:
    """The input with the raw id of the user."""
    integers = pa.types.is_integer(seen.table.schema.field(seen.query_column).type)
    return Column(SEEN_BY, "int64" if integers else "string")


def output_columns(items: pa.Table) -> tuple[Column, Column]:
    """The outputs: ids of the type that callers know, and scores."""
    strings = pa.types.is_string(items["key"].type)
    return Column(ITEM_IDS, "string" if strings else "int64", is_list=True), Column(SCORES, "float32", is_list=True)
