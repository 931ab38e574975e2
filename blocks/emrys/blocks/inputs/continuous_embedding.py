"""`ContinuousEmbedding`: one embedding of all continuous features."""

from __future__ import annotations

from typing import Any

import keras

from emrys.blocks.core.aggregation import parse_aggregation
from emrys.blocks.core.as_tabular import AsTabular
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.errors import ConfigError


def ContinuousEmbedding(  # noqa: N802 - named like a class, as in Merlin Models
    inputs: keras.layers.Layer,
    embedding_block: keras.layers.Layer,
    aggregation: str | keras.layers.Layer | None = None,
    continuous_aggregation: str | keras.layers.Layer | None = "concat",
    name: str = "continuous",
    **kwargs: Any,
) -> SequentialBlock:
    """Embeds all continuous features together, and returns the embedding in a dictionary.

    Args:
        inputs: Selection of the features, such as `Continuous` or `ContinuousFeatures`.
        embedding_block: Layer applied to all of them together.
        aggregation: Aggregation of the dictionary to one tensor. Default: none.
        continuous_aggregation: Aggregation of the features to the input of `embedding_block`. Default:
            `"concat"`; with None it gets the dictionary.
        name: Name of the output in the dictionary. Default: `"continuous"`.
        **kwargs: Further arguments of the `SequentialBlock`.

    Returns:
        A block that takes a batch and gives a dictionary with one (B, D).

    Raises:
        ConfigError: if `inputs` or `embedding_block` is no layer, or there is no such aggregation.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> block = mm.ContinuousEmbedding(mm.ContinuousFeatures(["age", "price"]), mm.MLPBlock([4]))
        >>> tuple(block({"age": np.ones((2, 1)), "price": np.ones((2, 1))})["continuous"].shape)
        (2, 4)
    """
    for argument, layer in (("inputs", inputs), ("embedding_block", embedding_block)):
        if not isinstance(layer, keras.layers.Layer):
            raise ConfigError(f"ContinuousEmbedding: {argument}", expected="a layer", got=repr(layer))
    aggregate_inputs, aggregate_output = parse_aggregation(continuous_aggregation), parse_aggregation(aggregation)
    chain = [inputs, aggregate_inputs, embedding_block, AsTabular(name), aggregate_output]
    return SequentialBlock([layer for layer in chain if layer is not None], **kwargs)
