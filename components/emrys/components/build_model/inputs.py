"""Inputs of the models: ids, lists of ids, numbers, lists of numbers, and vectors."""

from __future__ import annotations

import keras
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.models.sample_inputs import fixed_length


def is_vector(column: ColumnSchema) -> bool:
    """Whether a column holds vectors of one size, such as pretrained ones."""
    return Tags.EMBEDDING in column.tags or (Tags.CONTINUOUS in column.tags and fixed_length(column) is not None)


def vectors(schema: Schema) -> Schema:
    """The columns of vectors."""
    return Schema([column for column in schema if is_vector(column)])


def number_lists(schema: Schema) -> Schema:
    """The columns of lists of numbers of any length."""
    return Schema([each for each in schema.select_by_tag(Tags.CONTINUOUS) if each.is_list and not is_vector(each)])


def numbers(schema: Schema) -> Schema:
    """The columns with a single number in each row."""
    return Schema([each for each in schema.select_by_tag(Tags.CONTINUOUS) if not each.is_list and not is_vector(each)])


def dense_branches(schema: Schema) -> dict[str, keras.layers.Layer]:
    """Layers that read the numbers: as they are, lists by their mean (0 for an empty one), vectors as they are."""
    branches: dict[str, keras.layers.Layer] = {}
    if len(numbers(schema)):
        branches["continuous"] = mm.Continuous(numbers(schema))
    if len(number_lists(schema)):
        branches["number_lists"] = mm.Continuous(number_lists(schema), post=mm.SequenceAggregator("mean"))
    if len(vectors(schema)):
        branches["vectors"] = mm.PretrainedEmbeddings(vectors(schema))
    return branches


def embeddings(schema: Schema, dim: int, l2: float, dropout: float = 0.0) -> keras.layers.Layer:
    """Embeddings of the ids, of lists by their mean.

    Args:
        schema: The features; those tagged CATEGORICAL are embedded.
        dim: Width of each embedding.
        l2: Weight of the squared embeddings of a batch in the loss.
        dropout: Dropout rate of the embeddings. Default: 0.
    """
    return mm.Embeddings(
        schema.select_by_tag(Tags.CATEGORICAL),
        dim=dim,
        l2_batch_regularization_factor=l2,
        post=mm.MapValues(keras.layers.Dropout(dropout)) if dropout else None,
    )


def input_block(
    schema: Schema, dim: int, l2: float, dropout: float = 0.0, aggregation: str | None = "concat"
) -> keras.layers.Layer:
    """Reads all features of a batch.

    Args:
        schema: The features.
        dim: See `embeddings`.
        l2: See `embeddings`.
        dropout: See `embeddings`.
        aggregation: Aggregation to one vector. Default: `"concat"`; None gives a dictionary by feature.
    """
    has_ids = len(schema.select_by_tag(Tags.CATEGORICAL)) > 0
    branches = {"categorical": embeddings(schema, dim, l2, dropout)} if has_ids else {}
    return mm.ParallelBlock({**branches, **dense_branches(schema)}, aggregation=aggregation, is_input=True)
