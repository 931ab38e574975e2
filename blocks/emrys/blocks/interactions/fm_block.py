"""A factorization machine."""

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


def FMBlock(  # noqa: N802 - looks like the class that it is used as
    schema: Schema,
    fm_input_block: keras.layers.Layer | None = None,
    wide_input_block: keras.layers.Layer | None = None,
    wide_logit_block: keras.layers.Layer | None = None,
    factors_dim: int | None = None,
    **kwargs: Any,
) -> ParallelBlock:
    """A factorization machine: a linear part, and all pairs of categorical features.

    `y = b + Σ_i w_i x_i + Σ_{i<j} v_i · v_j`, with a weight `w` for each id and each continuous feature, and an
    embedding `v` for each categorical feature.

    Args:
        schema: The features; targets are left out.
        fm_input_block: Gives the dictionary of embeddings (B, D), of one dimension; continuous features in it are left
            out of the pairs. Default: `Embeddings` of the categorical columns.
        wide_input_block: Gives what the linear part takes. Default: all ids one-hot and the continuous features.
        wide_logit_block: Makes one number of that, (B, 1). Default: one linear layer.
        factors_dim: Dimension of the default embeddings. Default: the largest that `infer_embedding_dim` gives for one
            of the columns.
        **kwargs: Further arguments of the `ParallelBlock`, such as `name`.

    Returns:
        A block that takes a batch and gives (B, 1).

    Raises:
        SchemaError: if there is no categorical column, or one has no domain.
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
                "FMBlock has no features to pair",
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


@keras.saving.register_keras_serializable("emrys")
class FMPairwiseInteraction(Block):
    """Sum over all pairs of feature vectors of their element-wise products, in linear time.

    `Σ_{i<j} v_i ⊙ v_j = ((Σ_i v_i)² - Σ_i v_i²) / 2`

    Args:
        context: See `Block`. Default: none.
        **kwargs: What every layer takes: `name`, `dtype`, `trainable`.

    Input shape:
        (B, F, D)

    Output shape:
        (B, D)

    Raises:
        ConfigError: when built, if the input has not three axes.

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

    def call(self, inputs: Any) -> Any:
        """Gives the sum over all pairs."""
        square_of_sum = tf.square(tf.reduce_sum(inputs, axis=1))
        sum_of_squares = tf.reduce_sum(tf.square(inputs), axis=1)
        return (square_of_sum - sum_of_squares) / 2

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, D)."""
        shape = as_shape(input_shape)
        if len(shape) != 3:
            raise ConfigError(f"{self.name} combines feature vectors", expected="shape (B, F, D)", got=str(shape))
        return (shape[0], shape[2])


@keras.saving.register_keras_serializable("emrys")
class FactorSum(Block):
    """Sums a vector: `y = Σ_d x_d`, which makes a factorization machine's logit of what `FMPairwiseInteraction` gives.

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

    def call(self, inputs: Any) -> Any:
        """Gives the sum."""
        return tf.reduce_sum(inputs, axis=-1, keepdims=True)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """(B, 1)."""
        return (*as_shape(input_shape)[:-1], 1)
