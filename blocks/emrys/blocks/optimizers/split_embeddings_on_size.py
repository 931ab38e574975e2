"""Large embedding tables apart from small ones."""

from __future__ import annotations

import warnings

import keras

from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import ConfigError


def split_embeddings_on_size(
    embeddings: ParallelBlock, threshold: int
) -> tuple[list[keras.layers.Layer], list[keras.layers.Layer]]:
    """Splits the tables of a block by their number of rows, to give them different optimizers.

    Args:
        embeddings: The tables, what `Embeddings` makes.
        threshold: Number of rows from which on a table is large.

    Returns:
        The large tables and the small ones, each in the order of the block. A warning says so where none is large.

    Raises:
        ConfigError: if a branch of `embeddings` is no table.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> columns = [mm.create_categorical_column("user", 99), mm.create_categorical_column("country", 4)]
        >>> large, small = mm.split_embeddings_on_size(mm.Embeddings(Schema(columns), dim=2), threshold=50)
        >>> [table.name for table in large], [table.name for table in small]
        (['user'], ['country'])
    """
    large: list[keras.layers.Layer] = []
    small: list[keras.layers.Layer] = []
    for table in embeddings.parallel_values:
        rows = getattr(table, "input_dim", None)
        if rows is None:
            raise ConfigError("split_embeddings_on_size takes embedding tables", got=type(table).__name__)
        (large if rows >= threshold else small).append(table)
    if not large:
        warnings.warn(f"no table has {threshold} rows or more", stacklevel=2)
    return large, small
