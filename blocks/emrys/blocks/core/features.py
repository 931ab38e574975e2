"""Features in the form that blocks take."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from emrys.blocks.core.calling import Shape, as_shape

#: Suffixes of the two tensors that can stand for a list column.
VALUES, OFFSETS = "__values", "__offsets"


def prepare(features: Any) -> Any:
    """Gives scalars the shape (B, 1) and joins the two tensors of a list.

    Args:
        features: Tensors by name: scalars (B,) or (B, 1); lists as `tf.RaggedTensor`, dense, or as two tensors
            `<name>__values` (sum of the lengths,) and `<name>__offsets` (B + 1,), where the values of row `i` are
            those from `offsets[i]` to `offsets[i + 1]`. What is no dictionary is given back as it is.

    Returns:
        Tensors by name: scalars (B, 1), lists ragged (B, None) or dense (B, L), lists of vectors with D behind.
    """
    if not isinstance(features, dict):
        return features
    prepared: dict[str, Any] = {}
    for name, tensor in features.items():
        if name.endswith(VALUES) and name[: -len(VALUES)] + OFFSETS in features:
            column = name[: -len(VALUES)]
            flat = tf.squeeze(tensor, axis=1) if tuple(tensor.shape[1:]) == (1,) else tensor
            offsets = tf.reshape(features[column + OFFSETS], (-1,))
            prepared[column] = tf.RaggedTensor.from_row_splits(flat, offsets, validate=False)
        elif not (name.endswith(OFFSETS) and name[: -len(OFFSETS)] + VALUES in features):
            prepared[name] = tensor[:, tf.newaxis] if len(tensor.shape) == 1 else tensor
    return prepared


def prepared_shape(shapes: Shape) -> Shape:
    """The shapes that `prepare` gives for tensors of these shapes."""
    shapes = as_shape(shapes)
    if not isinstance(shapes, dict):
        return shapes
    prepared: dict[str, Any] = {}
    for name, shape in shapes.items():
        if name.endswith(VALUES) and name[: -len(VALUES)] + OFFSETS in shapes:
            prepared[name[: -len(VALUES)]] = (None, None, *(() if shape[1:] == (1,) else shape[1:]))
        elif not (name.endswith(OFFSETS) and name[: -len(OFFSETS)] + VALUES in shapes):
            prepared[name] = (shape[0], 1) if len(shape) == 1 else shape
    return prepared
