"""DeepFM."""

from __future__ import annotations

from typing import Any

import keras
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import ConcatFeatures, StackFeatures
from emrys.blocks.core.block import Block
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.tabular import Filter
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.interactions.fm_block import FactorSum, FMPairwiseInteraction
from emrys.blocks.interactions.wide_features import WideFeatures
from emrys.blocks.interactions.wide_logit import WideLogit
from emrys.blocks.mlp.mlp_block import MLPBlock
from emrys.blocks.models.model import Model
from emrys.blocks.models.ranking_features import ranking_features
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs
from emrys.blocks.schema.functions import infer_embedding_dim


def DeepFMModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    embedding_dim: int | None = None,
    deep_block: keras.layers.Layer | None = None,
    input_block: Block | None = None,
    wide_input_block: keras.layers.Layer | None = None,
    wide_logit_block: keras.layers.Layer | None = None,
    deep_logit_block: keras.layers.Layer | None = None,
    prediction_tasks: OutputsArgument = None,
    **kwargs: Any,
) -> Model:
    """DeepFM: the sum of a linear part, all pairs of embeddings, and a deep part, which share the embeddings.

    The linear part has a weight for each id and each continuous feature; the pairs are those of `FMBlock`; the deep
    part takes all embeddings and the continuous features.

    Args:
        schema: The features and, where `prediction_tasks` is not given, the targets.
        embedding_dim: Dimension of all embeddings. Default: the largest that `infer_embedding_dim` gives for a column.
        deep_block: The deep part. Default: `MLPBlock([64])`, made anew for each model.
        input_block: Gives a dictionary: embeddings (B, D) of one dimension by the names of the categorical columns, and
            whatever else the deep part shall have. Default: `InputBlockV2` of all features.
        wide_input_block: What the linear part takes. Default: every id of a categorical feature, lists included, and
            the continuous features.
        wide_logit_block: Makes one number of that, (B, 1). Default: one linear layer.
        deep_logit_block: Makes one number, (B, 1), of what the deep part gives. Default: one linear layer.
        prediction_tasks: An output or a task, or a list of them. Default: those that the schema's targets ask for.
        **kwargs: Further arguments of the default `InputBlockV2`.

    Returns:
        The model, to be compiled.

    Raises:
        ConfigError: if `input_block` makes one tensor, or arguments of an input block come beside it.
        SchemaError: if the schema has no categorical feature, or no target and no output is given.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("user", 9), mm.create_categorical_column("item", 19)])
        >>> model = mm.DeepFMModel(schema, embedding_dim=4, prediction_tasks=mm.BinaryOutput("click"))

    Reference:
        Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", IJCAI 2017,
        https://arxiv.org/abs/1703.04247.
    """
    outputs = resolve_outputs(prediction_tasks, schema)
    features = ranking_features(schema, "DeepFMModel")
    categorical = features.select_by_tag(Tags.CATEGORICAL)
    if input_block is None:
        if "categorical" not in kwargs:
            dim = embedding_dim or max(infer_embedding_dim(column) for column in categorical)
            kwargs["categorical"] = Embeddings(categorical, dim=dim)
        input_block = InputBlockV2(features, aggregation=None, **kwargs)
    else:
        _check_input(input_block, embedding_dim, kwargs)
    pairs = SequentialBlock(
        Filter(categorical), StackFeatures(axis=1), FMPairwiseInteraction(), FactorSum(), block_name="pairwise"
    )
    deep = SequentialBlock(
        ConcatFeatures(),
        deep_block or MLPBlock([64]),
        deep_logit_block or _logit("deep_logit"),
        block_name="deep",
    )
    # The linear part reads ids, the others what is made of them: they stand side by side within.
    both = ParallelBlock({"pairwise": pairs, "deep": deep}, aggregation="element-wise-sum", automatic_pruning=False)
    if wide_input_block is None and wide_logit_block is None:
        wide: keras.layers.Layer = WideLogit(features)
    else:
        wide = SequentialBlock(wide_input_block or WideFeatures(features), wide_logit_block or _logit("wide_logit"))
    towers = {"wide": wide, "fm_deep": SequentialBlock(input_block, both)}
    return Model(ParallelBlock(towers, aggregation="element-wise-sum", is_input=True), outputs, schema=schema)


def _logit(name: str) -> MLPBlock:
    return MLPBlock([1], activation="linear", block_name=name)


def _check_input(block: Block, dim: int | None, others: dict[str, Any]) -> None:
    if dim is not None or others:
        raise ConfigError(
            f"DeepFMModel: {'embedding_dim' if dim is not None else min(others)}",
            expected="no description of an input block beside input_block",
            got="one",
        )
    if getattr(block, "aggregation", None) is not None:
        raise ConfigError(
            "DeepFMModel: input_block",
            expected="a block that gives a dictionary of embeddings",
            got=f"one that makes a single tensor ({type(block.aggregation).__name__})",
            fix="Make it with aggregation=None.",
        )
