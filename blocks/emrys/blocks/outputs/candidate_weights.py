"""Item vectors held by an output, and its bias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import pandas as pd
import tensorflow as tf

from emrys.blocks.core.gather import look_up
from emrys.blocks.errors import ConfigError
from emrys.blocks.outputs.categorical_target import CategoricalTarget
from emrys.blocks.outputs.embedding_table_prediction import EmbeddingTablePrediction
from emrys.blocks.outputs.items_prediction_weight_tying import ItemsPredictionWeightTying

if TYPE_CHECKING:
    from merlin.io import Dataset


def has_candidate_weights(layer: keras.layers.Layer) -> bool:
    """Whether `layer` holds a vector for every item: the rows of a table, or the columns of its weights."""
    return isinstance(layer, (EmbeddingTablePrediction, CategoricalTarget)) or hasattr(layer, "embedding_lookup")


def candidate_rows(layer: keras.layers.Layer, ids: tf.Tensor, dtype: str) -> Any:
    """Returns the vectors of items.

    Args:
        layer: A layer that `has_candidate_weights`.
        ids: (M,)
        dtype: Type of the result.

    Returns:
        (M, D)

    Raises:
        DataError: if an id has no vector, see `look_up`.
    """
    if isinstance(layer, EmbeddingTablePrediction):
        return look_up(layer.table.embeddings, ids, layer.table.input_dim, dtype, f"{layer.name} ({layer.table.name})")
    if isinstance(layer, CategoricalTarget):
        return tf.cast(tf.gather(tf.transpose(layer.kernel), tf.cast(ids, "int64")), dtype)
    return tf.cast(layer.embedding_lookup(ids), dtype)


def candidate_matrix(layer: keras.layers.Layer) -> Any:
    """Returns the vectors of all items, (N, D).

    Raises:
        ConfigError: if the layer is not built yet, or holds none.
    """
    layer = _scoring_layer(layer)
    if isinstance(layer, EmbeddingTablePrediction):
        vectors = layer.table.embeddings
    elif isinstance(layer, CategoricalTarget):
        vectors = keras.ops.transpose(layer.kernel) if layer.built else None
    else:
        vectors = getattr(layer, "embeddings", None)
    if vectors is None:
        raise ConfigError(f"{layer.name} holds no vectors of items", fix="Build it first; two towers hold none.")
    return keras.ops.convert_to_numpy(vectors)


def candidate_bias(layer: keras.layers.Layer) -> Any:
    """Returns the bias of the scores of all items, (N,); None without a bias, or if it is zero."""
    bias = getattr(_scoring_layer(layer), "bias", None)
    values = None if bias is None else keras.ops.convert_to_numpy(bias)
    return values if values is not None and values.any() else None


def zero_bias_gradient(layer: keras.layers.Layer) -> Any:
    """Returns a zero that depends on the bias of `layer`, whose gradient has no rows and so leaves it unchanged."""
    bias = getattr(layer, "bias", None)
    return 0.0 if bias is None else tf.reduce_sum(tf.cast(tf.gather(bias, tf.zeros([0], tf.int64)), "float32"))


def _scoring_layer(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer itself, or its inner layer that computes the scores."""
    return layer.prediction if isinstance(layer, ItemsPredictionWeightTying) and layer.built else layer


def candidate_dataset(layer: keras.layers.Layer) -> Dataset:
    """Returns the vectors of all items as a data set: one row for each id, columns `"0"` to `"D - 1"`.

    Raises:
        ConfigError: if the layer is not built yet, or holds none.
    """
    from merlin.io import Dataset  # imported here: it starts Dask

    rows = candidate_matrix(layer)
    return Dataset(pd.DataFrame(rows, columns=[str(number) for number in range(rows.shape[1])]))
