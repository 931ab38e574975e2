"""Lists of numbers as ragged, dense and sparse tensors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from emrys.blocks.core.calling import Shape, as_shape
from emrys.blocks.core.features import OFFSETS, VALUES


def joined(features: dict[str, Any]) -> dict[str, Any]:
    """The features with the two tensors of a list, `<name>__values` and `<name>__offsets`, joined to a ragged one."""
    found: dict[str, Any] = {}
    for name, tensor in features.items():
        column = name.removesuffix(VALUES)
        if column != name and column + OFFSETS in features:
            offsets = tf.cast(tf.reshape(features[column + OFFSETS], (-1,)), "int64")
            found[column] = tf.RaggedTensor.from_row_splits(tensor, offsets, validate=False)
        elif not (name.endswith(OFFSETS) and name.removesuffix(OFFSETS) + VALUES in features):
            found[name] = tensor
    return found


def joined_shape(shapes: Shape) -> dict[str, Any]:
    """The shapes that `joined` gives for tensors of these shapes."""
    shapes = as_shape(shapes)
    found: dict[str, Any] = {}
    for name, shape in shapes.items():
        column = name.removesuffix(VALUES)
        if column != name and column + OFFSETS in shapes:
            found[column] = (None, None, *shape[1:])
        elif not (name.endswith(OFFSETS) and name.removesuffix(OFFSETS) + VALUES in shapes):
            found[name] = shape
    return found


def is_list(tensor: Any) -> bool:
    """Whether a tensor holds lists whose length is its own: ragged or sparse."""
    return isinstance(tensor, (tf.RaggedTensor, tf.SparseTensor))


def as_dense(tensor: Any, length: int | None = None) -> Any:
    """A list feature as a dense tensor, padded with 0 on the right.

    Args:
        tensor: Ragged, sparse, or dense.
        length: Length to pad or cut (at the end) lists to. Default: that of the longest; dense tensors stay.
    """
    if isinstance(tensor, tf.SparseTensor):
        tensor = tf.sparse.to_dense(tensor)
        return tensor if length is None else _to_length(tensor, length)
    if isinstance(tensor, tf.RaggedTensor):
        return tensor.to_tensor(shape=None if length is None else (None, length, *tensor.shape[2:]))
    return tensor


def as_sparse(tensor: Any) -> Any:
    """A feature as a sparse tensor: all values of a ragged one, those of a dense one that are not 0."""
    if isinstance(tensor, tf.RaggedTensor):
        return tensor.to_sparse()
    return tensor if isinstance(tensor, tf.SparseTensor) else tf.sparse.from_dense(tensor)


def as_ragged(tensor: Any) -> Any:
    """A list feature as a ragged tensor; a dense one stays."""
    return tf.RaggedTensor.from_sparse(tensor) if isinstance(tensor, tf.SparseTensor) else tensor


def _to_length(tensor: Any, length: int) -> Any:
    cut = tensor[:, :length]
    ahead = [[0, 0], [0, length - tf.shape(cut)[1]], *([0, 0] for _ in tensor.shape[2:])]
    padded = tf.pad(cut, ahead)
    padded.set_shape((tensor.shape[0], length, *tensor.shape[2:]))
    return padded
