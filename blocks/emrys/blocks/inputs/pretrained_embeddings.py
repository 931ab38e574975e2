"""`PretrainedEmbeddings`: the columns of a schema that hold pretrained vectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
from merlin.schema import Schema, Tags

import emrys.blocks.transforms.l2_norm  # noqa: F401 - registers "l2-norm"
from emrys.blocks.core.block import parse_layer
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.errors import SchemaError
from emrys.blocks.inputs.embeddings import Combiner
from emrys.blocks.inputs.pretrained_vectors import PretrainedVectors


def PretrainedEmbeddings(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    output_dims: int | Mapping[str, int] | None = None,
    sequence_combiner: Combiner | Mapping[str, Combiner] = "mean",
    normalizer: str | keras.layers.Layer | None = None,
    pre: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    aggregation: str | keras.layers.Layer | None = None,
    block_name: str = "pretrained_embeddings",
    **kwargs: Any,
) -> ParallelBlock:
    """Reads columns whose values are vectors: combines lists, projects, normalises.

    Args:
        schema: The columns. Those tagged EMBEDDING are taken, all where none is.
        output_dims: Dimension to which vectors are projected, one for all or by column. Default: none.
        sequence_combiner: Combination of the vectors of a list, for all columns or by column; see
            `PretrainedVectors`. Default: `"mean"`.
        normalizer: `"l2-norm"`, or a layer, of which each column gets a copy. Default: none.
        pre: Layer before it. Default: none.
        post: Layer on the dictionary of vectors. Default: none.
        aggregation: Aggregation of them to one tensor, such as `"concat"`. Default: none.
        block_name: Name of the block. Default: `"pretrained_embeddings"`.
        **kwargs: The other arguments of `ParallelBlock`.

    Returns:
        A block from a batch to a dictionary of (B, D) by column.

    Raises:
        SchemaError: if the schema has no columns.
        ConfigError: if there is no such normalizer or combiner.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import ColumnSchema, Schema, Tags
        >>> schema = Schema([ColumnSchema("images", dtype="float32", tags=[Tags.EMBEDDING])])
        >>> block = mm.PretrainedEmbeddings(schema, normalizer="l2-norm")
        >>> block({"images": np.array([[0.0, 5.0]])})["images"].numpy().tolist()
        [[0.0, 1.0]]
    """
    columns = schema.select_by_tag(Tags.EMBEDDING) or schema
    if len(columns) == 0:
        raise SchemaError("PretrainedEmbeddings finds no columns", expected="columns tagged EMBEDDING")
    if normalizer is not None:
        normalizer = parse_layer(normalizer, "PretrainedEmbeddings", "normalizer")
    branches = {
        column.name: PretrainedVectors(
            column,
            output_dim=output_dims.get(column.name) if isinstance(output_dims, Mapping) else output_dims,
            sequence_combiner=(
                sequence_combiner.get(column.name, "mean")
                if isinstance(sequence_combiner, Mapping)
                else sequence_combiner
            ),
            normalizer=_copy(normalizer),
        )
        for column in columns
    }
    return ParallelBlock(
        branches, pre=pre, post=post, aggregation=aggregation, name=block_name, is_input=True, **kwargs
    )


def _copy(normalizer: keras.layers.Layer | None) -> keras.layers.Layer | None:
    if normalizer is None:
        return None
    return type(normalizer).from_config(normalizer.get_config())
