"""Two-tower models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embedding_options import EmbeddingOptions
from emrys.blocks.models.retrieval_columns import id_column
from emrys.blocks.models.retrieval_model import RetrievalModel
from emrys.blocks.models.retrieval_model_v2 import RetrievalModelV2
from emrys.blocks.models.retrieval_outputs import contrastive_output
from emrys.blocks.retrieval.encoder import Encoder
from emrys.blocks.retrieval.two_tower_block import TwoTowerBlock
from emrys.blocks.sampling.candidate_sampler import Samplers
from emrys.blocks.tasks.as_outputs import as_outputs
from emrys.blocks.tasks.deprecation import quietly, warn_deprecated
from emrys.blocks.tasks.item_retrieval_task import ItemRetrievalTask


def TwoTowerModelV2(  # noqa: N802 - looks like the class that it is used as
    query_tower: Encoder,
    candidate_tower: Encoder,
    candidate_id_tag: Tags = Tags.ITEM_ID,
    outputs: Any = None,
    logits_temperature: float = 1.0,
    negative_samplers: Samplers | None = None,
    schema: Schema | None = None,
    **kwargs: Any,
) -> RetrievalModelV2:
    """Two encoders whose vectors are close where query and candidate belong together: `s(q, c) = f(q) · g(c)`.

    Unless `outputs` says otherwise, the right item is told from those of the other rows of the batch, as
    `ContrastiveOutput` describes. How to train it well, and how good it is then, is in docs/quality-retrieval.md.

    Args:
        query_tower: Encodes queries, such as users.
        candidate_tower: Encodes candidates; it reads the column of their ids.
        candidate_id_tag: Tag of that column. Default: `Tags.ITEM_ID`.
        outputs: An output, or a list of them. Default: a `ContrastiveOutput`.
        logits_temperature: What the default output divides scores by. Default: 1.
        negative_samplers: Samplers of the default output. Default: `"in-batch"`, corrected for how often items occur.
        schema: The columns of a batch, which batches are held against. Default: not held.
        **kwargs: Further arguments of `RetrievalModelV2`.

    Returns:
        The model, to be compiled.

    Raises:
        ConfigError: if a tower is no `Encoder`, or both give vectors of different sizes.
        SchemaError: if the candidate tower does not read one column with the tag.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema, Tags
        >>> user = Schema([mm.create_categorical_column("user_id", num_items=9, tags=[Tags.USER_ID])])
        >>> item = Schema([mm.create_categorical_column("item_id", num_items=19, tags=[Tags.ITEM_ID])])
        >>> model = mm.TwoTowerModelV2(mm.Encoder(user, mm.MLPBlock([4])), mm.Encoder(item, mm.MLPBlock([4])))
        >>> model.query_encoder.schema.column_names
        ['user_id']

    Reference:
        Yi and others. Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations. RecSys 2019.
    """
    for argument, tower in (("query_tower", query_tower), ("candidate_tower", candidate_tower)):
        if not isinstance(tower, Encoder):
            raise ConfigError(
                f"TwoTowerModelV2: {argument}",
                expected="an Encoder",
                got=type(tower).__name__,
                fix="Wrap it: mm.Encoder(<schema of its columns>, <layers>).",
            )
    if outputs is None:
        columns = candidate_tower.schema if candidate_tower.schema is not None else Schema([])
        ids = id_column(columns, candidate_id_tag, "the candidate tower of TwoTowerModelV2", "candidate_id_tag")
        outputs = contrastive_output(ids, negative_samplers, logits_temperature)
    return RetrievalModelV2(
        query=query_tower, candidate=candidate_tower, output=as_outputs(outputs), schema=schema, **kwargs
    )


def TwoTowerModel(  # noqa: N802 - looks like the class that it is used as
    schema: Schema,
    query_tower: keras.layers.Layer,
    item_tower: keras.layers.Layer | None = None,
    query_tower_tag: Tags = Tags.USER,
    item_tower_tag: Tags = Tags.ITEM,
    embedding_options: EmbeddingOptions | None = None,
    post: Any = None,
    prediction_tasks: Any = None,
    logits_temperature: float = 1.0,
    samplers: Sequence[Any] = (),
    **kwargs: Any,
) -> RetrievalModel:
    """Two towers with an `ItemRetrievalTask`. Deprecated: use `TwoTowerModelV2`.

    Args:
        schema: The columns of users and items.
        query_tower: What the features of users go through.
        item_tower: What those of items go through. Default: a copy of `query_tower`.
        query_tower_tag: Tag of the columns of users. Default: `Tags.USER`.
        item_tower_tag: Tag of the columns of items. Default: `Tags.ITEM`.
        embedding_options: Sizes and starting values of the tables. Default: dimension 64.
        post: Layer behind both towers, on the dictionary of their vectors. Default: none.
        prediction_tasks: Tasks. Default: an `ItemRetrievalTask`.
        logits_temperature: What scores are divided by. Default: 1.
        samplers: Samplers of the default task. Default: the batch.
        **kwargs: Further arguments of `TwoTowerBlock`.

    Returns:
        The model, to be compiled.

    Raises:
        SchemaError: if no column has one of the tags, or none is tagged ITEM_ID.
        ConfigError: if the towers give vectors of different sizes.
    """
    warn_deprecated("TwoTowerModel", "TwoTowerModelV2")
    with quietly():
        block = TwoTowerBlock(
            schema, query_tower, item_tower, query_tower_tag, item_tower_tag, embedding_options, post, **kwargs
        )
        if prediction_tasks is None:
            prediction_tasks = ItemRetrievalTask(schema, samplers, logits_temperature=logits_temperature)
        return RetrievalModel(block, as_outputs(prediction_tasks, schema))
