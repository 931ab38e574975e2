"""Retrieval models (first generation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Unpack

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import CosineSimilarity
from emrys.blocks.core.block import BlockArguments
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_options import EmbeddingOptions
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.legacy.deprecation import quietly, warn_deprecated
from emrys.blocks.legacy.item_retrieval_task import ItemRetrievalTask
from emrys.blocks.legacy.matrix_factorization_block import MatrixFactorizationBlock
from emrys.blocks.legacy.retrieval_model import RetrievalModel
from emrys.blocks.legacy.two_tower_block import TwoTowerBlock
from emrys.blocks.models.retrieval_model import RetrievalModelV2
from emrys.blocks.models.youtube_dnn import YoutubeDNNRetrievalModelV2, history_features, item_columns, item_table
from emrys.blocks.outputs.categorical_output import CategoricalOutput
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.schema.functions import categorical_domains, id_column
from emrys.blocks.transforms.l2_norm import L2Norm


def TwoTowerModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    query_tower: keras.layers.Layer,
    item_tower: keras.layers.Layer | None = None,
    query_tower_tag: Tags = Tags.USER,
    item_tower_tag: Tags = Tags.ITEM,
    embedding_options: EmbeddingOptions | None = None,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    prediction_tasks: OutputsArgument = None,
    logits_temperature: float = 1.0,
    samplers: Sequence[keras.layers.Layer] = (),
    **kwargs: Unpack[BlockArguments],
) -> RetrievalModel:
    """Creates a two-tower model with an `ItemRetrievalTask`. Deprecated: use `TwoTowerModelV2`.

    Args:
        schema: The columns of users and items.
        query_tower: Layer on the user features.
        item_tower: Layer on the item features. Default: a copy of `query_tower`.
        query_tower_tag: Tag of the user columns. Default: `Tags.USER`.
        item_tower_tag: Tag of the item columns. Default: `Tags.ITEM`.
        embedding_options: Dimensions and initializers of the tables. Default: dimension 64.
        post: Layer after both towers, on the dictionary of their vectors. Default: none.
        prediction_tasks: Tasks. Default: an `ItemRetrievalTask`.
        logits_temperature: Divisor of the scores. Default: 1.
        samplers: Samplers of the default task. Default: in-batch.
        **kwargs: Further arguments of `TwoTowerBlock`.

    Returns:
        The model, not compiled.

    Raises:
        SchemaError: if no column has one of the tags, or none is tagged ITEM_ID.
        ConfigError: if the dimensions of the towers differ.
    """
    warn_deprecated("TwoTowerModel", "TwoTowerModelV2")
    with quietly():
        block = TwoTowerBlock(
            schema, query_tower, item_tower, query_tower_tag, item_tower_tag, embedding_options, post, **kwargs
        )
        if prediction_tasks is None:
            prediction_tasks = ItemRetrievalTask(schema, samplers, logits_temperature=logits_temperature)
        return RetrievalModel(block, resolve_outputs(prediction_tasks, schema))


def MatrixFactorizationModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    dim: int,
    query_id_tag: Tags = Tags.USER_ID,
    item_id_tag: Tags = Tags.ITEM_ID,
    embeddings_initializers: str
    | keras.initializers.Initializer
    | Mapping[str, str | keras.initializers.Initializer]
    | None = None,
    embeddings_l2_reg: float = 0.0,
    post: str | keras.layers.Layer | list[str | keras.layers.Layer] | None = None,
    prediction_tasks: OutputsArgument = None,
    logits_temperature: float = 1.0,
    samplers: Sequence[keras.layers.Layer] = (),
    **kwargs: object,
) -> RetrievalModel:
    """Creates a matrix factorization with an `ItemRetrievalTask`. Deprecated: use `MatrixFactorizationModelV2`.

    Args:
        schema: Schema with the id columns.
        dim: Dimension of the embeddings.
        query_id_tag: Tag of the user id. Default: `Tags.USER_ID`.
        item_id_tag: Tag of the item id. Default: `Tags.ITEM_ID`.
        embeddings_initializers: Initializer of both tables, or initializers by column name. Default: those of
            `EmbeddingOptions`.
        embeddings_l2_reg: Weight of the L2 regularization of the embeddings of a batch. Default: 0.
        post: Layer after both tables, on the dictionary of their vectors. Default: none.
        prediction_tasks: Tasks. Default: an `ItemRetrievalTask`.
        logits_temperature: Divisor of the scores. Default: 1.
        samplers: Samplers of the default task. Default: in-batch.
        **kwargs: Further arguments of `QueryItemIdsEmbeddingsBlock`, such as `aggregation` of both vectors to the
            input of `prediction_tasks`. The default task scores pairs itself, by dot product; `aggregation="cosine"`
            makes it the cosine.

    Returns:
        The model, not compiled.

    Raises:
        SchemaError: if not exactly one column has each of the tags.
        ConfigError: if the default task gets another aggregation.
    """
    warn_deprecated("MatrixFactorizationModel", "MatrixFactorizationModelV2")
    aggregation = kwargs.pop("aggregation", None)
    if prediction_tasks is None and aggregation is not None:
        if aggregation != "cosine" and not isinstance(aggregation, CosineSimilarity):
            raise ConfigError(
                "MatrixFactorizationModel: aggregation",
                expected="'cosine', or none, with the default task",
                got=repr(aggregation) if isinstance(aggregation, str) else type(aggregation).__name__,
                fix="Give prediction_tasks=, which take what the aggregation gives.",
            )
        aggregation, kwargs["l2_normalization"] = None, True
    with quietly():
        block = MatrixFactorizationBlock(
            schema,
            dim,
            query_id_tag,
            item_id_tag,
            embeddings_initializers,
            embeddings_l2_reg,
            aggregation=aggregation,
            post=post,
            **kwargs,
        )
        if prediction_tasks is None:
            ids = Schema([id_column(schema, item_id_tag, "MatrixFactorizationModel", "item_id_tag")])
            prediction_tasks = ItemRetrievalTask(
                ids.select_by_tag(Tags.ITEM_ID) or schema, samplers, logits_temperature=logits_temperature
            )
        return RetrievalModel(block, resolve_outputs(prediction_tasks, schema))


def YoutubeDNNRetrievalModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    aggregation: str = "concat",
    top_block: keras.layers.Layer | None = None,
    l2_normalization: bool = True,
    extra_pre_call: keras.layers.Layer | None = None,
    task_block: keras.layers.Layer | None = None,
    logits_temperature: float = 1.0,
    sampled_softmax: bool = True,
    num_sampled: int = 100,
    min_sampled_id: int = 0,
    embedding_options: EmbeddingOptions | None = None,
) -> RetrievalModelV2:
    """Creates the retrieval model of YouTube with its inputs. Deprecated: use `YoutubeDNNRetrievalModelV2`.

    Args:
        schema: Schema with the history, a list tagged ITEM_ID, and other user features.
        aggregation: Aggregation of the features to one vector. Default: `"concat"`.
        top_block: Layer on the features. Default: a linear layer of the dimension of the item embeddings.
        l2_normalization: Whether to normalize the query to length 1. Default: True.
        extra_pre_call: Layer after the query. Default: none.
        task_block: Layer after `extra_pre_call`. Default: none.
        logits_temperature: Divisor of the scores. Default: 1.
        sampled_softmax: Whether to use `num_sampled` negatives in the softmax instead of all items. Default: True.
        num_sampled: Number of negatives for a batch. Default: 100.
        min_sampled_id: Lowest id that is sampled. Default: 0.
        embedding_options: Dimensions and initializers of the tables. Default: dimension 64.

    Returns:
        The model, not compiled.

    Raises:
        SchemaError: if no column is tagged ITEM_ID.
        ConfigError: see `YoutubeDNNRetrievalModelV2`.
    """
    warn_deprecated("YoutubeDNNRetrievalModel", "YoutubeDNNRetrievalModelV2")
    options = EmbeddingOptions() if embedding_options is None else embedding_options
    features = history_features(schema)
    inputs = InputBlockV2(features, categorical=_embeddings(features, options), aggregation=aggregation)
    query_layers = [layer for layer in (L2Norm() if l2_normalization else None, extra_pre_call, task_block) if layer]
    outputs = None
    if not sampled_softmax:
        feature, target = item_columns(schema, Tags.ITEM_ID)
        table = item_table(inputs, feature)
        outputs = CategoricalOutput(table, target_name=str(target.name), logits_temperature=logits_temperature)
    return YoutubeDNNRetrievalModelV2(
        schema,
        top_block=top_block,
        post=SequentialBlock(query_layers) if query_layers else None,
        inputs=inputs,
        outputs=outputs,
        logits_temperature=logits_temperature,
        num_sampled=num_sampled,
        min_sampled_id=min_sampled_id,
    )


def _embeddings(features: Schema, options: EmbeddingOptions) -> ParallelBlock:
    """Tables with the options of `EmbeddingFeatures`, as `Embeddings`, which an output can share."""
    columns = features.select_by_tag(Tags.CATEGORICAL)
    domains = categorical_domains(columns)
    same_domain = {
        column.name: [other for other in columns if domains[other.name] == domains[column.name]] for column in columns
    }
    initializers = {name: options.initializer(*others) for name, others in same_domain.items()}
    return Embeddings(
        columns,
        dim={name: options.dim(*others) for name, others in same_domain.items()},
        sequence_combiner=options.combiner,
        embeddings_initializer={
            name: keras.initializers.TruncatedNormal(stddev=0.05) if initializer is None else initializer
            for name, initializer in initializers.items()
        },
        l2_batch_regularization_factor=options.embeddings_l2_reg,
    )
