"""Factorization machine: pairwise interactions, their sum, and the block with its linear part."""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf
from merlin.schema import Schema, Tags

from emrys.blocks.core.aggregation import StackFeatures
from emrys.blocks.core.block import Block
from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.parallel import ParallelBlock
from emrys.blocks.core.sequential import SequentialBlock
from emrys.blocks.core.tabular import Filter
from emrys.blocks.errors import ConfigError, SchemaError
from emrys.blocks.inputs.embeddings import Embeddings
from emrys.blocks.interactions.wide_features import WideFeatures
from emrys.blocks.interactions.wide_logit import WideLogit
from emrys.blocks.mlp.mlp_block import MLPBlock
from emrys.blocks.schema.functions import infer_embedding_dim, select_targets


@keras.saving.register_keras_serializable("emrys")
class FMPairwiseInteraction(Block):
    """Sum over all pairs of feature vectors of their element-wise products, in linear time.

    `Σ_{i<j} v_i ⊙ v_j = ((Σ_i v_i)² - Σ_i v_i²) / 2`

    Merlin Models sums over the positions instead of the features (docs/coming-from-merlin-models.md).

    Args:
        context: See `Block`. Default: none.
        **kwargs: Arguments of every layer: `name`, `dtype`, `trainable`.

    Input shape:
        (B, F, D)

    Output shape:
        (B, D)

    Raises:
        ConfigError: when built, if the input does not have three axes.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.FMPairwiseInteraction()(np.array([[[3.0, 4.0], [5.0, 6.0], [1.0, 0.0]]])).numpy().tolist()
        [[23.0, 24.0]]

    Reference:
        Rendle, "Factorization Machines", ICDM 2010, https://doi.org/10.1109/ICDM.2010.127.
    """

    def build(self, input_shape: Shape) -> None:
        """Checks the shape."""
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: tf.Tensor) -> Any:
        """Computes the sum over all pairs."""
        square_of_sum = tf.square(tf.reduce_sum(inputs, axis=1))
        sum_of_squares = tf.reduce_sum(tf.square(inputs), axis=1)
        return (square_of_sum - sum_of_squares) / 2

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D)."""
        shape = as_shape(input_shape)
        if len(shape) != 3:
            raise ConfigError(f"{self.name}: input shape", expected="shape (B, F, D)", got=str(shape))
        return (shape[0], shape[2])


@keras.saving.register_keras_serializable("emrys")
class FactorSum(Block):
    """Sum over the last axis: `y = Σ_d x_d`, the logit of a factorization machine from `FMPairwiseInteraction`.

    Input shape:
        (B, D)

    Output shape:
        (B, 1)

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> mm.FactorSum()(np.array([[45.0, 64.0]])).numpy().tolist()
        [[109.0]]
    """

    def call(self, inputs: tf.Tensor) -> Any:
        """Computes the sum."""
        return tf.reduce_sum(inputs, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, 1)."""
        return (*as_shape(input_shape)[:-1], 1)


def FMBlock(  # noqa: N802 - named like a class, as in Merlin Models
    schema: Schema,
    fm_input_block: keras.layers.Layer | None = None,
    wide_input_block: keras.layers.Layer | None = None,
    wide_logit_block: keras.layers.Layer | None = None,
    factors_dim: int | None = None,
    **kwargs: Any,
) -> ParallelBlock:
    """Creates a factorization machine: a linear part, and all pairs of categorical features.

    `y = b + Σ_i w_i x_i + Σ_{i<j} v_i · v_j`, with a weight `w` for each id and each continuous feature, and an
    embedding `v` for each categorical feature.

    Args:
        schema: The features; targets are ignored.
        fm_input_block: Layer that outputs a dictionary of embeddings (B, D), all of one dimension; continuous features
            in it are excluded from the pairs. Default: `Embeddings` of the categorical columns.
        wide_input_block: Inputs of the linear part. Default: one-hot ids and the continuous features.
        wide_logit_block: Layer from these inputs to the logit, (B, 1). Default: one linear layer.
        factors_dim: Dimension of the default embeddings. Default: the largest `infer_embedding_dim` of the columns.
        **kwargs: Further arguments of the `ParallelBlock`, such as `name`.

    Returns:
        A block from a batch of features to (B, 1).

    Raises:
        SchemaError: if there is no categorical column, or one without a domain.
        ConfigError: when built, if the embeddings have different dimensions.

    Example:
        >>> import emrys.blocks as mm
        >>> import numpy as np
        >>> from merlin.schema import Schema
        >>> schema = Schema([mm.create_categorical_column("user", 9), mm.create_categorical_column("item", 19)])
        >>> tuple(mm.FMBlock(schema, factors_dim=4)({"user": np.array([[1]]), "item": np.array([[2]])}).shape)
        (1, 1)

    Reference:
        Rendle, "Factorization Machines", ICDM 2010, https://doi.org/10.1109/ICDM.2010.127.
    """
    features = schema.excluding_by_name(select_targets(schema).column_names)
    categorical = features.select_by_tag(Tags.CATEGORICAL)
    if fm_input_block is None:
        if len(categorical) == 0:
            raise SchemaError(
                "FMBlock needs categorical features",
                expected="columns tagged CATEGORICAL",
                got=", ".join(features.column_names) or "no columns but targets",
            )
        dim = factors_dim or max(infer_embedding_dim(column) for column in categorical)
        fm_input_block = Embeddings(categorical, dim=dim)
    continuous = features.select_by_tag(Tags.CONTINUOUS)
    vectors = [Filter(continuous, exclude=True)] if len(continuous) else []
    pairs = SequentialBlock(
        [fm_input_block, *vectors, StackFeatures(axis=1), FMPairwiseInteraction(), FactorSum()], block_name="pairwise"
    )
    first_order = _first_order(features, wide_input_block, wide_logit_block)
    return ParallelBlock({"first_order": first_order, "pairwise": pairs}, aggregation="element-wise-sum", **kwargs)


def _first_order(
    features: Schema, wide: keras.layers.Layer | None, logit: keras.layers.Layer | None
) -> keras.layers.Layer:
    if wide is None and logit is None:
        return WideLogit(features)
    inputs = WideFeatures(features) if wide is None else wide
    return SequentialBlock(inputs, logit or MLPBlock([1], activation="linear"), block_name="first_order")
