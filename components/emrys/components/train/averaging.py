"""Weights for evaluation and serving: moving averages, and mean embeddings for ids without training rows."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

import keras
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

import emrys.blocks as mm
from emrys.components.build_model.layers import MARK

#: Frequency of each id in the train split, by column.
Counts = Mapping[str, npt.NDArray[np.int64]]


def count_ids(
    train: Path, tables: list[mm.EmbeddingTable], marked: Collection[str] = ()
) -> dict[str, npt.NDArray[np.int64]]:
    """Counts the ids in the training rows.

    Args:
        train: Parquet file of the rows.
        tables: Tables whose columns are counted.
        marked: Histories to which the model adds a mark, an id that the rows do not hold.

    Returns:
        Counts by column, one for each row of its table.
    """
    sizes = {name: table.input_dim for table in tables for name in table.schema.column_names}
    counts: dict[str, npt.NDArray[np.int64]] = {name: np.zeros(size, np.int64) for name, size in sizes.items()}
    with pq.ParquetFile(train) as file:
        for batch in file.iter_batches(columns=list(sizes)):
            for name, column in zip(batch.schema.names, batch.columns, strict=True):
                ids = column.flatten() if pa.types.is_list(column.type) else column
                counts[name] += np.bincount(ids.to_numpy(zero_copy_only=False), minlength=sizes[name])
                if name in marked:
                    counts[name][MARK] += batch.num_rows
    return counts


@contextlib.contextmanager
def averaged_weights(model: keras.Model, tables: list[mm.EmbeddingTable], counts: Counts) -> Iterator[None]:
    """Replaces the weights of a model, within the `with` block, by those for evaluation and serving.

    These are the moving averages of the optimizer, if it keeps them. In every embedding table, the rows of ids that
    never occur in training, above all the id of unseen values, become the mean of the other rows, weighted by
    frequency; their random initial values would add noise for every new user.

    Args:
        model: The model; its own weights are restored at the end of the block.
        tables: Its embedding tables.
        counts: Result of `count_ids`.
    """
    own = [variable.numpy() for variable in model.trainable_variables]
    try:
        model.optimizer.finalize_variable_values(model.trainable_variables)
        for table in tables:
            seen = np.sum([counts[name] for name in table.schema.column_names], axis=0)
            if table.trainable and seen.any():  # tables that are not trained are pretrained for all ids
                rows = table.embeddings.numpy()
                rows[seen == 0] = np.average(rows, axis=0, weights=seen)
                table.embeddings.assign(rows)
        yield
    finally:
        for variable, value in zip(model.trainable_variables, own, strict=True):
            variable.assign(value)
