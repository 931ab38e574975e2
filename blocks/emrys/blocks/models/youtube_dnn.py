"""`YoutubeDNNRetrievalModelV2`: the retrieval network of YouTube."""

from __future__ import annotations

from typing import Unpack

import keras
from merlin.schema import ColumnSchema, Schema, Tags

from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embedding_table import EmbeddingTable, embedding_tables
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.mlp.mlp_block import MLPBlock
from emrys.blocks.models.encoder import Encoder
from emrys.blocks.models.retrieval_model import RetrievalModelArguments, RetrievalModelV2, vector_size
from emrys.blocks.outputs.contrastive_output import ContrastiveOutput
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from emrys.blocks.outputs.model_output import ModelOutput, OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.sampling.popularity_based_sampler_v2 import PopularityBasedSamplerV2
from emrys.blocks.schema.functions import id_column, number_of_ids, select_targets

_OWNER = "YoutubeDNNRetrievalModelV2"
_USUAL_SIZE = 64


def YoutubeDNNRetrievalModelV2(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    candidate_id_tag: Tags = Tags.ITEM_ID,
    top_block: keras.layers.Layer | None = None,
    post: keras.layers.Layer | None = None,
    inputs: keras.layers.Layer | None = None,
    outputs: OutputsArgument = None,
    logits_temperature: float = 1.0,
    num_sampled: int = 100,
    min_sampled_id: int = 0,
    **kwargs: Unpack[RetrievalModelArguments],
) -> RetrievalModelV2:
    """YouTube DNN: a query vector from a user's averaged history and other features, which scores all items.

    By default, the score of an item is the product of the query vector and the item's row in the embedding table of the
    history, and the positive item is contrasted with `num_sampled` negatives. docs/quality-retrieval.md has a training
    recipe and its quality.

    Args:
        schema: The columns: the history, a list, and other features of the user.
        candidate_id_tag: Tag of the history; the target has its name, unless another column with this tag is tagged
            TARGET. Default: `Tags.ITEM_ID`.
        top_block: Layers from the concatenated features to the size of the item vectors. Default: one linear layer of
            that size.
        post: Layer after it, such as `L2Norm()`. Default: none.
        inputs: The input block, with one vector for each row. Default: `InputBlockV2` of the schema.
        outputs: An output, or a list of them. Default: a `ContrastiveOutput` with the table of the items.
        logits_temperature: Divisor of the default output's scores. Default: 1.
        num_sampled: Number of negatives of a batch, from `PopularityBasedSamplerV2`. Default: 100.
        min_sampled_id: The lowest id of a negative, above those for padding or unknown values. Default: 0.
        **kwargs: Further arguments of `RetrievalModelV2`.

    Returns:
        The model, to be compiled.

    Raises:
        SchemaError: if no column has the tag, or the inputs have no table of the items and `outputs` is not given.
        ConfigError: if `num_sampled` is larger than the number of items, or `top_block` ends with another size than
            that of the item vectors.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> history = mm.create_categorical_column(
        ...     "items", num_items=19, tags=[Tags.ITEM_ID], min_value_count=1, max_value_count=4
        ... )
        >>> model = mm.YoutubeDNNRetrievalModelV2(Schema([history]), num_sampled=5)
        >>> model.has_candidate_encoder
        False

    Reference:
        Covington, Adams, Sargin. Deep Neural Networks for YouTube Recommendations. RecSys 2016.
    """
    inputs = InputBlockV2(schema) if inputs is None else inputs
    if outputs is None:
        feature, target = item_columns(schema, candidate_id_tag)
        outputs = ContrastiveOutput(
            item_table(inputs, feature),
            _sampler(feature, num_sampled, min_sampled_id),
            target_name=str(target.name),
            logits_temperature=logits_temperature,
            logq_sampling_correction=True,
            schema=Schema([target]),
        )
    last = resolve_outputs(outputs)
    size = _vector_size(last)
    if top_block is None:
        top_block = MLPBlock([size or _USUAL_SIZE], no_activation_last_layer=True)
    query = Encoder(inputs, top_block, post=post, schema=history_features(schema))
    _check_size(query, size)
    return RetrievalModelV2(query=query, output=last, **kwargs)


def history_features(schema: Schema) -> Schema:
    """Returns the columns of a schema that are not targets."""
    return schema.excluding_by_name(select_targets(schema).column_names)


def item_columns(schema: Schema, tag: Tags) -> tuple[ColumnSchema, ColumnSchema]:
    """Returns the column of the history, and that of the target."""
    feature = id_column(history_features(schema), tag, _OWNER, "candidate_id_tag")
    targets = list(select_targets(schema).select_by_tag(tag))
    return feature, targets[0] if len(targets) == 1 else feature


def item_table(inputs: keras.layers.Layer, items: ColumnSchema) -> EmbeddingTable:
    """Returns the embedding table in which the inputs look up the history.

    Raises:
        SchemaError: if there is none.
    """
    for table in embedding_tables([inputs]):
        if items.name in table.schema.column_names:
            return table
    raise SchemaError(
        f"{_OWNER}: the inputs have no table of the items",
        column=items.name,
        expected="an EmbeddingTable that looks this column up",
        fix="Tag the column CATEGORICAL, or give outputs=.",
    )


def _sampler(items: ColumnSchema, num_sampled: int, min_id: int) -> PopularityBasedSamplerV2:
    num_ids = number_of_ids(items)
    if num_sampled > num_ids - min_id:
        raise ConfigError(
            f"{_OWNER}: num_sampled",
            column=items.name,
            expected=f"at most {num_ids - min_id}, the number of ids from min_sampled_id={min_id} on",
            got=str(num_sampled),
            fix="Sample fewer, or score all items: outputs=mm.CategoricalOutput(...).",
        )
    return PopularityBasedSamplerV2(max_id=num_ids, min_id=min_id, max_num_samples=num_sampled)


def _vector_size(output: keras.layers.Layer) -> int | None:
    """The size of the items' vectors, where the output has a table of them."""
    inner = output.to_call if isinstance(output, ModelOutput) else None
    return inner.table.dim if isinstance(inner, EmbeddingTablePrediction) else None


def _check_size(query: Encoder, size: int | None) -> None:
    query_size = vector_size(query)
    if None not in (query_size, size) and query_size != size:
        raise ConfigError(
            f"{_OWNER}: top_block gives vectors of another size than the items have",
            expected=f"{size}",
            got=f"{query_size}",
            fix=f"End top_block with {size}, or give the table of the items the dimension {query_size}.",
        )
