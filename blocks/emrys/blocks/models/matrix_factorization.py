"""`MatrixFactorizationModelV2`: matrix factorization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias, Unpack

import keras
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.core.block import parse_layer
from emrys.blocks.models.embedding_encoder import EmbeddingEncoder
from emrys.blocks.models.retrieval_model import RetrievalModelArguments, RetrievalModelV2
from emrys.blocks.outputs.contrastive_output import default_contrastive_output
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.sampling.candidate_sampler import Samplers
from emrys.blocks.schema.functions import id_column

#: An initializer, or its name.
Initializer: TypeAlias = str | keras.initializers.Initializer


def MatrixFactorizationModelV2(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    dim: int,
    query_id_tag: Tags = Tags.USER_ID,
    candidate_id_tag: Tags = Tags.ITEM_ID,
    embeddings_initializers: Initializer | Mapping[str, Initializer] | None = None,
    embeddings_l2_batch_regularization: float | Mapping[str, float] = 0.0,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    outputs: OutputsArgument = None,
    negative_samplers: Samplers | None = None,
    logits_temperature: float = 1.0,
    **kwargs: Unpack[RetrievalModelArguments],
) -> RetrievalModelV2:
    """Matrix factorization, with a vector for each user and each item: `s(u, i) = p_u · q_i`.

    By default, the positive item is contrasted with the other items of the batch, with the logQ correction.
    docs/quality-retrieval.md has a training recipe and its quality.

    Args:
        schema: The columns; only the two columns of ids are read.
        dim: Size of the vectors.
        query_id_tag: Tag of the column of users. Default: `Tags.USER_ID`.
        candidate_id_tag: Tag of the column of items. Default: `Tags.ITEM_ID`.
        embeddings_initializers: Initializer of both tables, or initializers by name of a column. Default: `"uniform"`,
            in [-0.05, 0.05].
        embeddings_l2_batch_regularization: Weight, in the loss, of the sum of squares of the vectors that a batch looks
            up; or weights by name of a column. Default: 0.
        post: Layer after both tables, such as `L2Norm()` or its name `"l2-norm"`; each table gets a copy.
            Default: none.
        outputs: An output, or a list of them. Default: a `ContrastiveOutput`.
        negative_samplers: Samplers of the default output. Default: `"in-batch"`, with the logQ correction,
            which Merlin Models leaves out (docs/coming-from-merlin-models.md).
        logits_temperature: Divisor of the default output's scores. Default: 1.
        **kwargs: Further arguments of `RetrievalModelV2`.

    Returns:
        The model, to be compiled.

    Raises:
        SchemaError: unless exactly one column has each of the tags, or if one has no domain.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> schema = Schema([
        ...     mm.create_categorical_column("user_id", num_items=9, tags=[Tags.USER_ID]),
        ...     mm.create_categorical_column("item_id", num_items=19, tags=[Tags.ITEM_ID]),
        ... ])
        >>> model = mm.MatrixFactorizationModelV2(schema, dim=4)
        >>> model.candidate_encoder.table.input_dim
        20
    """
    owner = "MatrixFactorizationModelV2"
    query = id_column(schema, query_id_tag, owner, "query_id_tag")
    candidate = id_column(schema, candidate_id_tag, owner, "candidate_id_tag")
    layer = None if post is None else parse_layer(post, owner, "post")
    encoders = [
        EmbeddingEncoder(
            column,
            dim,
            embeddings_initializer=_initializer(embeddings_initializers, column),
            embeddings_l2_batch_regularization=_value_for_column(embeddings_l2_batch_regularization, column, 0.0),
            post=post_layer,
        )
        for column, post_layer in ((query, layer), (candidate, _copy(layer)))
    ]
    if outputs is None:
        outputs = default_contrastive_output(candidate, negative_samplers, logits_temperature)
    return RetrievalModelV2(query=encoders[0], candidate=encoders[1], output=resolve_outputs(outputs), **kwargs)


def _value_for_column(value: Any, column: ColumnSchema, default: Any) -> Any:
    return value.get(column.name, default) if isinstance(value, Mapping) else value


def _initializer(value: Any, column: ColumnSchema) -> Any:
    """A separate initializer for each table; a shared one would draw the same numbers for both."""
    initializer = _value_for_column(value, column, None)
    if initializer is None:
        return "uniform"
    return (
        initializer.clone()
        if isinstance(initializer, keras.initializers.Initializer) and initializer is value
        else initializer
    )


def _copy(layer: keras.layers.Layer | None) -> keras.layers.Layer | None:
    return None if layer is None else keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
