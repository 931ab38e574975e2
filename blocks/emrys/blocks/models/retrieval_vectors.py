"""The vectors that the sides of a retrieval model give for the rows of a data set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
import pyarrow as pa
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, DataError
from emrys.blocks.loader import Loader
from emrys.blocks.loader.sources import open_source
from emrys.blocks.models.embedding_encoder import EmbeddingEncoder
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.retrieval.encoding import index_column

if TYPE_CHECKING:
    from merlin.io import Dataset

#: What says which column a result is indexed by.
Index: TypeAlias = str | ColumnSchema | Schema | Tags

_ROWS_AT_ONCE = 65_536


def encoded(
    encoder: keras.layers.Layer, what: str, dataset: Any, index: Index, batch_size: int, **kwargs: Any
) -> Dataset:
    """Encodes all rows of a data set, or all ids of an `EmbeddingEncoder` where `dataset` is None.

    Args:
        encoder: The encoder.
        what: What it encodes, for errors.
        dataset: What `Encoder.encode` takes, or None.
        index: Column to index the result by.
        batch_size: Rows of a batch.
        **kwargs: Further arguments of `Encoder.encode`.

    Raises:
        ConfigError: if it is no `Encoder`, or needs data and there is none.
    """
    if not isinstance(encoder, Encoder):
        raise ConfigError(
            f"the {what} encoder does not say which columns it reads",
            expected="an Encoder",
            got=type(encoder).__name__,
            fix="Wrap it: mm.Encoder(<inputs>, <layers>).",
        )
    if dataset is None:
        if not isinstance(encoder, EmbeddingEncoder):
            columns = ", ".join(encoder.schema.column_names) if encoder.schema is not None else "its features"
            raise ConfigError(
                f"{what}_embeddings needs data",
                expected=f"rows with {columns}",
                got="none",
                fix=f"Give one row for each {what}.",
            )
        index = str(encoder.table.schema.first.name)
        dataset = pa.table({index: np.arange(encoder.table.input_dim, dtype=np.int64)})
    return encoder.encode(dataset, index=index, batch_size=batch_size, **kwargs)


def chosen_rows(vectors: Dataset, dataset: Any, index: Index) -> Dataset:
    """The vectors of the ids in a data set, one row for each of its rows.

    Args:
        vectors: A row for each id, indexed by the ids.
        dataset: A `merlin.io.Dataset`, a `Loader`, an Arrow table, or paths of Parquet files.
        index: Column of the ids.

    Raises:
        DataError: if there is no such column, or an id has no vector.
    """
    from merlin.io import Dataset  # starts Dask, which is not everybody's

    column = index_column(index, getattr(dataset, "schema", None))
    frame = vectors.to_ddf().compute(scheduler="synchronous")
    ids = _column(dataset, column)
    unknown = ids[~np.isin(ids, frame.index)]
    if len(unknown):
        raise DataError(
            "a candidate has no vector", column=column, expected=f"ids from 0 to {len(frame) - 1}", got=str(unknown[0])
        )
    return Dataset(frame.loc[ids].rename_axis(index=column))


def _column(data: Any, column: str) -> Any:
    source = data.source if isinstance(data, Loader) else open_source(data)
    names = source.arrow_schema.names
    if column not in names:
        raise DataError("the data has no such column", path=source.name, column=column, got=", ".join(names))
    parts = [
        np.asarray(batch.column(0))
        for group in range(len(source.group_rows))
        for batch, _, _ in source.batches(group, [column], _ROWS_AT_ONCE)
    ]
    return np.concatenate([np.zeros(0, np.int64), *parts])
