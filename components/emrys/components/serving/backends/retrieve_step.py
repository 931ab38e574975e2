"""The model of a retrieval ensemble: transformed queries to the ids of items and their scores."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from emrys.blocks.errors import ArtifactError
from emrys.blocks.io import file_sha256, read_json, write_json
from emrys.blocks.retrieval.seen_items import SeenItems
from emrys.blocks.retrieval.top_k_layer import TopKLayer
from emrys.blocks.workflow import FIRST_KNOWN
from emrys.components.serving.backends.batching import TRANSFORMED_PADDING
from emrys.components.serving.backends.item_index import read_index
from emrys.components.serving.backends.saved_signature import COLUMNS, SAVED_MODEL, SavedSignature
from emrys.components.serving.columns import (
    NULL_INT64,
    NULL_STRING,
    Column,
    Columns,
    check_columns,
    read_columns,
)
from emrys.components.serving.recommendation import ITEM_IDS, NO_SCORE, SCORES

#: Contents of the version folder of the model, besides those of `ModelStep`.
INDEX, ITEMS, SEEN = "index", "items.parquet", "seen_items.parquet"
#: Output of the query encoder.
VECTORS = "vectors"
#: Input with the raw id of the user, whose seen items are excluded.
SEEN_BY = "seen_by"

Ints = npt.NDArray[np.int64]


class RetrieveStep:
    """Finds the best items for queries, excluding those that were seen.

    Seen items are those of the user in the training data, and those in the histories of the request. Where fewer than K
    items remain, the rest of `item_ids` is null (-2**63 for int64, "" for strings), and the rest of `scores` is the
    lowest float32, which JSON can represent.

    Args:
        tower: The query encoder.
        index: Top-k layer with the catalogue, by the ids in the transformed data.
        items: `id` in the transformed data and `key`, the id that callers know, int64 or string.
        seen: Ids in the transformed data of the items that each user has seen, by the raw id of the user; None for
            queries without a user.
        histories: List columns of the query whose items are excluded.
    """

    padding: ClassVar[Mapping[str, object]] = TRANSFORMED_PADDING

    def __init__(
        self, tower: SavedSignature, index: TopKLayer, items: pa.Table, seen: SeenItems | None, histories: Sequence[str]
    ) -> None:
        self._tower, self._index, self._seen, self._histories = tower, index, seen, tuple(histories)
        strings = pa.types.is_string(items["key"].type)
        self._user = None if seen is None else user_column(seen)
        self.inputs = tower.inputs if self._user is None else (*tower.inputs, self._user)
        self.outputs = output_columns(items)
        ids = items["id"].to_numpy()
        # Indexed by the id in the transformed data; the last element is the key of -1, which means no item.
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
            SavedSignature(root / SAVED_MODEL, columns, [rest.get("output", VECTORS)]),
            read_index(root / INDEX),
            pq.read_table(root / ITEMS, partitioning=None),
            SeenItems.load(root / SEEN) if (root / SEEN).exists() else None,
            rest["histories"],
        )

    def check(self, columns: Columns) -> None:
        """Raises DataError if an input is missing, has the wrong shape or dtype, or a value out of range."""
        check_columns(self.inputs, columns)
        self._tower.check(columns)

    def __call__(self, columns: Columns) -> Columns:
        """Recommends items for a batch.

        Args:
            columns: Transformed columns of the queries, scalars (B, 1), lists (B, L) padded with 0; and, for queries of
                users, `seen_by`, their raw ids, (B, 1).

        Returns:
            `item_ids`, (B, K) int64 or strings, and `scores`, (B, K) float32, best first.
        """
        (queries,) = self._tower.predict(columns).values()
        queries = queries.astype(np.float32, copy=False)
        results = self._search(queries, *self._excluded(columns))
        ids = results.identifiers.numpy()
        scores = np.where(ids < 0, np.float32(NO_SCORE), results.scores.numpy())
        return {ITEM_IDS: self._keys[ids], SCORES: scores}

    def _excluded(self, columns: Columns) -> tuple[Ints, Ints]:
        """Returns the items to exclude, row by row, and the offsets of the rows."""
        count = len(columns[self.inputs[0].name])
        rows: list[Ints] = [np.empty(0, np.int64)]
        items: list[Ints] = [np.empty(0, np.int64)]
        if self._seen is not None and self._user is not None:
            users: npt.NDArray[Any] = columns[SEEN_BY].reshape(-1)
            if self._user.dtype == "string":  # invalid UTF-8 is an unknown user
                users = np.array([user.decode("utf-8", "replace") for user in users.tolist()], dtype=object)
            stored, offsets = self._seen.lookup(users)
            rows.append(np.repeat(np.arange(count), np.diff(offsets)))
            items.append(stored)
        for name in self._histories:
            row, position = np.nonzero(columns[name] >= FIRST_KNOWN)
            rows.append(row)
            items.append(columns[name][row, position])
        pairs = np.unique(np.stack([np.concatenate(rows), np.concatenate(items)]), axis=1)
        return pairs[1], np.searchsorted(pairs[0], np.arange(count + 1))


def user_column(seen: SeenItems) -> Column:
    """Describes the input with the raw id of the user."""
    integers = pa.types.is_integer(seen.table.schema.field(seen.query_column).type)
    return Column(SEEN_BY, "int64" if integers else "string")


def output_columns(items: pa.Table) -> tuple[Column, Column]:
    """Describes the outputs: ids of items in the type of the raw data, and scores."""
    strings = pa.types.is_string(items["key"].type)
    return Column(ITEM_IDS, "string" if strings else "int64", is_list=True), Column(SCORES, "float32", is_list=True)


CHECKSUMS = "checksums.json"


def write_checksums(folder: Path) -> None:
    """Writes the SHA-256 of every file in a folder into `checksums.json` there."""
    files = sorted(file for file in folder.rglob("*") if file.is_file() and file.name != CHECKSUMS)
    write_json(folder / CHECKSUMS, {file.relative_to(folder).as_posix(): file_sha256(file) for file in files})


def check_checksums(folder: Path) -> None:
    """Verifies the files of a folder against its `checksums.json`.

    Raises:
        ArtifactError: naming the first file that is missing or has another checksum.
    """
    for name, expected in read_json(folder / CHECKSUMS).items():
        file = folder / name
        if not file.is_file():
            raise ArtifactError("a file of the model is missing", path=file, fix="Export it again.")
        actual = file_sha256(file)
        if actual != expected:
            raise ArtifactError(
                "a file of the model is damaged",
                path=file,
                expected=f"SHA-256 {expected}",
                got=actual,
                fix="Export it again.",
            )
