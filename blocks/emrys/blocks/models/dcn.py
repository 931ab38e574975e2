"""Deep & cross network."""

from __future__ import annotations

from typing import Unpack

import keras
from merlin.schema import Schema

from emrys.blocks.core.block import Block, BlockArguments
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError
from emrys.blocks.inputs.input_block_v2 import InputBlockV2
from emrys.blocks.interactions.cross_block import CrossBlock
from emrys.blocks.mlp.mlp_block import MLPBlock
from emrys.blocks.models.model import Model
from emrys.blocks.models.ranking_features import ranking_features
from emrys.blocks.outputs.model_output import OutputsArgument
from emrys.blocks.outputs.resolve import resolve_outputs


def DCNModel(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    depth: int,
    deep_block: keras.layers.Layer | None = None,
    stacked: bool = True,
    input_block: Block | None = None,
    prediction_tasks: OutputsArgument = None,
    **kwargs: Unpack[BlockArguments],
) -> Model:
    """DCN V2: embeddings and continuous features side by side, crossed with each other, and a deep block.

    Args:
        schema: The features and, where `prediction_tasks` is not given, the targets.
        depth: Number of cross layers.
        deep_block: The deep part. Default: `MLPBlock([512, 256])`, made anew for each model.
        stacked: Whether the deep part takes what the cross layers give; else both take the input, and the output
            takes both. Default: True.
        input_block: Makes one vector of a batch, (B, D). Default: `InputBlockV2` of all features.
        prediction_tasks: An output or a task, or a list of them. Default: those that the schema's targets ask for.
        **kwargs: Further arguments of the default `InputBlockV2`.

    Returns:
        The model, to be compiled.

    Raises:
        ConfigError: if `depth` is below 1, or arguments of an input block come beside `input_block`.
        SchemaError: if the schema has no categorical feature, or no target and no output is given.

    Example:
        >>> import emrys.blocks as mm
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("item", 19), mm.create_continuous_column("age")])
        >>> model = mm.DCNModel(
        ...     schema, depth=2, deep_block=mm.MLPBlock([8]), prediction_tasks=mm.BinaryOutput("click")
        ... )

    Reference:
        Wang et al., "DCN V2: Improved Deep & Cross Network", WWW 2021, https://arxiv.org/abs/2008.13535.
    """
    outputs = resolve_outputs(prediction_tasks, schema)
    cross = CrossBlock(depth)
    deep = MLPBlock([512, 256]) if deep_block is None else deep_block
    if input_block is None:
        input_block = InputBlockV2(ranking_features(schema, "DCNModel"), **kwargs)
    elif kwargs:
        raise ConfigError(
            f"DCNModel: {min(kwargs)}", expected="no arguments of an input block beside input_block", got="one"
        )
    if stacked:
        return Model(SequentialBlock(input_block, cross, deep), outputs, schema=schema)
    both = ParallelBlock({"cross": cross, "deep": deep}, aggregation="concat")
    return Model(SequentialBlock(input_block, both), outputs, schema=schema)
